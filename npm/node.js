// The package's entry in Node.js.

import { use } from './engine.js';
import * as node from './load.node.js';

use(node);

export * from './index.js';
