/** Records what a function does with an object of Socket.IO, so that it can be done in another process. */

/** One step of a chain: a property that is read, one that is called, or one that is set. */
export type Step =
  | { readonly name: string }
  | { readonly name: string; args: readonly unknown[] }
  | { readonly name: string; readonly value: unknown };

export type Chain = readonly Step[];

/** Stands for a callback; the call then gives what that was called with, in an array. */
export function callback(..._given: unknown[]): void {}

/** A value that cannot travel to the worker; the application has it under this name. */
export function named(name: string): unknown {
  return { named: name };
}

/** The chains that the function begins at its argument, in order: `io => io.to("a").emit("b")` is one of two calls. */
export function recordCalls<Target>(use: (target: Target) => unknown): Chain[] {
  const chains: Step[][] = [];
  const begin = (): Step[] => {
    const chain: Step[] = [];
    chains.push(chain);
    return chain;
  };
  const root = new Proxy({}, follower(begin)) as Target;
  use(root);
  return chains;
}

function follower(readChain: () => Step[]): ProxyHandler<object> {
  return {
    get: (_target, name) => {
      const chain = readChain();
      chain.push({ name: String(name) });
      return new Proxy(() => {}, { ...follower(() => chain), apply: (_self, _this, args) => call(chain, args) });
    },
    set: (_target, name, value: unknown) => {
      readChain().push({ name: String(name), value });
      return true;
    },
  };
}

function call(chain: Step[], args: readonly unknown[]): unknown {
  const step = chain.pop();
  if (step === undefined) throw new Error("a call of nothing");
  chain.push({
    name: step.name,
    args: args.map((arg) => (typeof arg === "function" ? { isCallback: true } : arg)),
  });
  return new Proxy(
    {},
    follower(() => chain),
  );
}
