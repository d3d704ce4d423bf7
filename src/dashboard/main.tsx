// The entry point of the page: applies the theme and renders the dashboard into the page's root
// element.

import { render } from 'preact';
import { Dashboard } from './app.js';
import { applyTheme } from './theme.js';
import './styles/main.css';

applyTheme();
const root = document.getElementById('app');
if (root === null) throw new Error('the page has no element with the id app');
render(<Dashboard />, root);
