// The theme: light or dark, as the system has it unless the user chose.

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'lablink-theme';

/** Reads the theme that the user chose; `system` if none. */
export function readTheme(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'system';
}

/** Stores and applies the user's choice. */
export function setTheme(theme: Theme): void {
  if (theme === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  applyTheme();
}

/** Sets the attribute that the styles read; without the attribute the system's theme applies. */
export function applyTheme(): void {
  const theme = readTheme();
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Reads the current text colour of an element, for drawing on a canvas. */
export function readTextColor(element: Element): string {
  return getComputedStyle(element).color;
}
