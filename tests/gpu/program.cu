// Copyright (c) 2026, the gpulab.expansion authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// run: 0 when a kernel of this build ran. fault: writes where it may not. fill SHARE SECONDS: takes that share of the memory, and computes.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

__global__ void answer(int *where) { *where = 42; }

__global__ void compute(float *values) {
    float value = threadIdx.x;
    for (int i = 0; i < 1 << 20; i++) value = value * 1.0001f + 0.5f;
    values[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

int told(cudaError_t error) {
    printf("%s\n", cudaGetErrorString(error));
    fflush(stdout);
    return error != cudaSuccess;
}

int main(int argc, char **argv) {
    int *where = nullptr, found = 0;
    if (!strcmp(argv[1], "fault")) {
        answer<<<1, 1>>>((int *)0x7f0000000000ULL);
        return told(cudaDeviceSynchronize());
    }
    if (!strcmp(argv[1], "run")) {
        cudaMalloc(&where, sizeof found);
        answer<<<1, 1>>>(where);
        cudaError_t error = cudaGetLastError();
        if (error == cudaSuccess) error = cudaMemcpy(&found, where, sizeof found, cudaMemcpyDeviceToHost);
        return told(error) || found != 42;
    }
    size_t free, total;
    float *values = nullptr;
    cudaMemGetInfo(&free, &total);
    if (told(cudaMalloc(&values, (size_t)(total * atof(argv[2]))))) return 1;
    for (time_t end = time(nullptr) + atoi(argv[3]); time(nullptr) < end; cudaDeviceSynchronize()) compute<<<1024, 256>>>(values);
    return told(cudaGetLastError());
}
