import { parseConfig } from '../../../src/config/load-config.ts'
import { messageOf } from '../../../src/errors.ts'

/** The shortest configuration that is accepted. */
export const MINIMAL = `
kafka: { brokers: ['127.0.0.1:9092'], topics: [orders] }
s3: { bucket: sealed-data }
cassandra: { contactPoints: [127.0.0.1] }
kms: { keyId: 1234abcd-12ab-34cd-56ef-1234567890ab }
`

/** A minimal configuration as a tree, with `changes` put at dotted paths; undefined takes away. */
export function treeWith(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const tree: Record<string, unknown> = {
    kafka: { brokers: ['127.0.0.1:9092'], topics: ['orders'] },
    s3: { bucket: 'sealed-data' },
    cassandra: { contactPoints: ['127.0.0.1'] },
    kms: { keyId: '1234abcd-12ab-34cd-56ef-1234567890ab' },
  }
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.')
    const last = keys.pop() ?? ''
    let node = tree
    for (const key of keys) {
      node[key] ??= {}
      node = node[key] as Record<string, unknown>
    }
    if (value === undefined) delete node[last]
    else node[last] = value
  }
  return tree
}

/** Parses a tree as the file would be; JSON is YAML. */
export function parseTree(
  changes: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
) {
  return parseConfig(JSON.stringify(treeWith(changes)), env, 'test.yaml')
}

/** The refusal of a configuration, or '' when it is accepted. */
export function refusalOf(parse: () => unknown): string {
  try {
    parse()
    return ''
  } catch (error) {
    return messageOf(error)
  }
}
