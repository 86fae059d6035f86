import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parse, stringify } from 'yaml'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { DOMAIN_HEADER } from '../kafka/contents.ts'

/** What the configuration of a measured encryptor says beside the defaults. */
export interface RoadSettings {
  readonly mapping: 'rows' | 'runs'
  /** `path.to.key=value` each, the value as in YAML; the last word of all. */
  readonly overrides: readonly string[]
}

/** Which topics an encryptor takes, and where it answers. */
export interface RoadPlace {
  /** Of its group, and what its object keys begin with. */
  readonly name: string
  readonly topics: readonly string[]
  readonly httpPort: number
}

interface Tree {
  [key: string]: unknown
}

/** A configuration over the services of a benchmark. */
export function roadConfig(stack: StackEndpoints, place: RoadPlace, settings: RoadSettings): Tree {
  const { name, topics, httpPort } = place
  const { keyId, ...aws } = stack.kms
  const tree = {
    kafka: { brokers: stack.kafka.brokers, topics, groupId: name },
    s3: { ...stack.s3, prefix: name },
    cassandra: { ...stack.cassandra, replicationFactor: 1 },
    mapping: { mode: settings.mapping },
    kms: { keyId, aws },
    http: { port: httpPort },
  }
  for (const override of settings.overrides) setIn(tree, override)
  return tree
}

/**
 * What a configuration says when the messages of a topic have `domains` values of the header; 0: the topic. One
 * lane, as docs/sizing.md has it: each lane has a segment of its own for every domain.
 */
export function domainOverrides(domains: number): readonly string[] {
  if (domains === 0) return []
  return ['keyDomain.by=header', `keyDomain.header=${DOMAIN_HEADER}`, 'kafka.lanes=1']
}

/** Sets one key of a tree. Throws when the text is not `path=value`. */
export function setIn(tree: Tree, override: string): void {
  const [, path = '', value = ''] = /^([^=]+)=(.*)$/s.exec(override) ?? []
  if (path === '') throw new Error(`--set ${override}: write path.to.key=value`)
  const names = path.split('.')
  const last = names.pop() as string
  let node = tree
  for (const name of names) {
    node[name] ??= {}
    node = node[name] as Tree
  }
  node[last] = parse(value)
}

/** Writes a configuration; it holds local credentials, so only its owner may read it. */
export function writeRoadConfig(path: string, tree: Tree): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, stringify(tree), { mode: 0o600 })
}
