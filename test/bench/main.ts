// The benchmark's way in: everything is made plain JavaScript first, and run as that.

import { pathToFileURL } from 'node:url';
import { compile } from './compile.js';

await import(pathToFileURL(await compile()).href);
