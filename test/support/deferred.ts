// A promise that a test settles by hand: waits for an event instead of for time.

export interface Deferred<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
}

export function defer<Value = void>(): Deferred<Value> {
  let settle: ((value: Value) => void) | undefined;
  const promise = new Promise<Value>(resolve => {
    settle = resolve;
  });
  return { promise, resolve: value => settle?.(value) };
}
