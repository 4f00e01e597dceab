// Finds the compiled file of a module that runs in a thread or process of its own, for whoever starts one.

/** shared/src/ is two folders below the root of the tree, in the sources as in dist/. */
const ROOT = new URL('../../', import.meta.url);

/**
 * The `.js` of `relative`, a `.ts` path seen from `from` (the caller's import.meta.url). Code in dist/ has it beside
 * itself. Sources, which only a test runner executes, take it from dist/: Node.js 20 cannot start a thread or a
 * process on TypeScript, so the build comes before the tests.
 */
export function compiledUrl(relative: string, from: string): URL {
  const target = new URL(relative.replace(/\.ts$/, '.js'), from);
  if (!new URL(from).pathname.endsWith('.ts')) return target;
  if (!target.pathname.startsWith(ROOT.pathname))
    throw new Error(`Expected a file below ${ROOT} but received ${target}`);
  return new URL(`dist/${target.pathname.slice(ROOT.pathname.length)}`, ROOT);
}
