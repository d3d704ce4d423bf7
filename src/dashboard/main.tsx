// The page's start: the theme, the styles, and the one element that everything is drawn into.

import { render } from 'preact';
import { Dashboard } from './app.js';
import { applyTheme } from './theme.js';
import './styles/main.css';

applyTheme();
const root = document.getElementById('app');
if (root === null) throw new Error('the page has no place to draw into');
render(<Dashboard />, root);
