// The embedded queue keeps the contract of all queues.

import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { describeQueue } from './queue-conformance.ts';

describeQueue('the memory queue', async () => ({ queue: openMemoryQueue(), cleanUp: async () => undefined }));
