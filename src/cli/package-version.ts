import { createRequire } from 'node:module'

/** The version of this package, which finds itself by name, from the sources and from the build alike. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)('sealstream/package.json')
  return (manifest as { readonly version: string }).version
}
