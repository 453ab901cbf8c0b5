// Loaded before the page is drawn, so that it does not flash in the other theme.
const theme = localStorage.getItem("myriad-theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
export {};
