import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { stringify } from 'yaml'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { createReader, type ReaderOptions } from '../../src/index.ts'

/** Values by dotted path, put over the configuration of a place; undefined takes a key away. */
export type ConfigChanges = Readonly<Record<string, unknown>>

/**
 * What one test seals with: a topic, a group, a keyspace and a prefix that nobody else has, and a
 * folder for its configuration and logs.
 */
export class SealingPlace {
  readonly stack: StackEndpoints
  readonly name: string
  readonly folder: string
  readonly topics: readonly string[]
  readonly groupId: string
  readonly keyspace: string
  readonly prefix: string
  /** How its KMS is reached, and its KEK; that of the stack, unless a test brings its own. */
  kms: ReaderOptions['kms']
  #configs = 0

  /**
   * `keyspace` shares the tables of another place, which saves the time of creating them; `stack` is
   * that of the test run unless a test breaks services that others need.
   */
  constructor(name: string, topicCount = 1, keyspace?: string, stack = inject('stack')) {
    this.stack = stack
    const mark = randomUUID().slice(0, 8)
    this.name = `${name}-${mark}`
    this.folder = mkdtempSync(join(tmpdir(), `sealstream-${this.name}-`))
    this.topics = Array.from({ length: topicCount }, (_, i) => `${this.name}-${i}`)
    this.groupId = this.name
    this.keyspace = keyspace ?? `t_${this.name.replaceAll('-', '_')}`
    this.prefix = this.name
    const { keyId, ...aws } = stack.kms
    this.kms = { ...aws, allowedKeyIds: [keyId] }
  }

  /** The first topic. */
  get topic(): string {
    return this.topics[0] as string
  }

  /** Writes a configuration with these changes and returns its path. */
  config(changes: ConfigChanges = {}): string {
    const { kafka, s3, cassandra } = this.stack
    const { provider = 'aws', allowedKeyIds, ...kms } = this.kms
    const tree = {
      kafka: { ...kafka, topics: this.topics, groupId: this.groupId, sessionTimeoutMs: '6s' },
      s3: { ...s3, prefix: this.prefix },
      cassandra: { ...cassandra, keyspace: this.keyspace, replicationFactor: 1 },
      kms: { provider, keyId: allowedKeyIds[0], [provider]: kms },
      segment: { ageMs: '200ms' },
      workers: { threads: 2 },
      http: { port: 0 },
    }
    const settings: Record<string, unknown> = structuredClone({
      ...tree,
      kafka: { ...tree.kafka, heartbeatIntervalMs: '1s' },
    })
    for (const [path, value] of Object.entries(changes)) put(settings, path.split('.'), value)
    const path = join(this.folder, `config-${++this.#configs}.yaml`)
    writeFileSync(path, stringify(settings))
    return path
  }

  /** A reader of the bucket and the KEK of this place. */
  reader() {
    return createReader({ s3: { ...this.stack.s3, prefix: this.prefix }, kms: this.kms })
  }

  /** Deletes configurations and logs. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function put(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path as [string, ...string[]]
  if (rest.length > 0) {
    tree[name] ??= {}
    put(tree[name] as Record<string, unknown>, rest, value)
  } else if (value === undefined) delete tree[name]
  else tree[name] = value
}
