import { type Problem, suggestNearest } from './problems.ts'
import { configLeaves, type Leaf } from './walk.ts'

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Names the configuration file when no other is given. */
export const CONFIG_FILE_VARIABLE = 'SEALSTREAM_CONFIG'

const PREFIX = 'SEALSTREAM_'

/** Variables of the local stack and of failpoints (failpoints.ts), which share the prefix. */
const FOREIGN = /^SEALSTREAM_(?:STACK_.*|PARTS|CONFIG|FAILPOINT)$/

const leafByVariable = new Map(configLeaves.map((leaf) => [variableOf(leaf.path), leaf]))

/** The variable that overrides a key: `kafka.groupId` is `SEALSTREAM_KAFKA_GROUP_ID`. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return PREFIX + words.join('_')
}

/**
 * `tree` with every override put in place; `tree` itself is not changed. Values are typed by their
 * key and checked later like those of the file. Unknown variables are problems.
 */
export function applyEnvironment(
  tree: unknown,
  env: Environment,
): { readonly tree: unknown; readonly problems: Problem[] } {
  const overridden = tree === null || tree === undefined ? {} : structuredClone(tree)
  const problems: Problem[] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(PREFIX) || FOREIGN.test(name)) continue
    const leaf = leafByVariable.get(name)
    if (leaf === undefined) {
      const near = suggestNearest(name, [...leafByVariable.keys()])
      problems.push({ path: name, reason: `unknown variable${near}` })
    } else {
      place(overridden, leaf.path, valueFor(leaf, value))
    }
  }
  return { tree: overridden, problems }
}

/** What the same value would be in YAML. */
function valueFor(leaf: Leaf, value: string): unknown {
  const trimmed = value.trim()
  switch (leaf.kind) {
    case 'list':
      return trimmed === '' ? [] : trimmed.split(',').map((entry) => entry.trim())
    case 'flag':
      return trimmed === 'true' || (trimmed === 'false' ? false : trimmed)
    case 'count':
    case 'duration':
    case 'bytes':
      return /^-?\d+$/.test(trimmed) ? Number(trimmed) : trimmed
    case 'choice':
    case 'text':
      return value
  }
}

/** A section that is no section stays as it is: the schema reports it. */
function place(tree: unknown, path: readonly string[], value: unknown): void {
  let node = tree
  for (const [index, key] of path.entries()) {
    if (!isRecord(node)) return
    if (index === path.length - 1) node[key] = value
    else node = node[key] ??= {}
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
