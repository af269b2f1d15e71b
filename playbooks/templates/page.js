const root = document.documentElement;
document.getElementById('language').onclick = () => {
  const zh = root.dataset.language === 'en';
  root.dataset.language = zh ? 'zh' : 'en';
  root.lang = zh ? 'zh-CN' : 'en';
};
document.getElementById('theme').onclick = () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
};
