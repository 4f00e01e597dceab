// A thread for thread-pool.test.ts that does what its task says, faults included.
import { workerData } from 'node:worker_threads';
import { serveTasks } from '../../../dist/services/worker/src/thread-server.js';

if (workerData === 'no-start') throw new Error('not today');

serveTasks({
  handle: async task => {
    if (task === 'throw') throw new Error('the task threw');
    if (task === 'exit') process.exit(3);
    if (task === 'uncaught') {
      setImmediate(() => {
        throw new Error('thrown outside of the task');
      });
      return new Promise(() => undefined);
    }
    if (task.counter !== undefined) {
      Atomics.add(task.counter, 0, 1);
      Atomics.notify(task.counter, 0);
    }
    return task.echo;
  },
  concurrency: 2,
});
