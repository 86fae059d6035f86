/** The first Node with all that the product uses. */
const NODE_VERSION_MIN = '22.18.0'

/** The sentence against a Node that is too old, or null. `version` is like `22.18.0`. */
export function refuseNode(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorMin = 0, minorMin = 0] = NODE_VERSION_MIN.split('.').map(Number)
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return null
  return `sealstream: needs Node ${NODE_VERSION_MIN} or newer, this is ${version}\n`
}
