import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import zlib from 'node:zlib'
import type { Message, PartitionerArgs, PartitionMetadata } from 'kafkajs'
import { SealError } from '../../errors.ts'
import { decodeRecord } from './record-decoder.ts'

type Kafkajs = typeof import('kafkajs')

const RECORD_DECODER = 'kafkajs/src/protocol/recordBatch/record/v0/decoder.js'
const GROUPING = 'kafkajs/src/producer/groupMessagesPerPartition.js'

let loaded: Kafkajs | null = null

/**
 * Loads kafkajs with two of its modules exchanged for ours (docs/decisions, "kafkajs"):
 * - its record decoder merges headers into a plain object: names like `constructor` come back
 *   broken, the order between names and of numeric names is lost;
 * - its grouping of messages by partition copies the list for every message, which takes a quarter
 *   of the main thread when references are published by the thousand.
 * The library loads its protocol lazily and by path, so modules are exchanged in the module cache,
 * after forgetting what may hold the old ones. zstd is added to the codecs that it knows.
 */
export function loadKafkajs(): Kafkajs {
  if (loaded !== null) return loaded
  const require = createRequire(import.meta.url)
  const root = dirname(require.resolve('kafkajs/package.json')) + sep
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(root)) delete require.cache[path]
  }
  exchange(require, RECORD_DECODER, decodeRecord)
  exchange(require, GROUPING, groupByPartition)
  const kafkajs = require('kafkajs') as Kafkajs
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: async (encoder: { buffer: Buffer }) => zlib.zstdCompressSync(encoder.buffer),
    decompress: async (bytes: Buffer) => zlib.zstdDecompressSync(bytes),
  })
  loaded = kafkajs
  return kafkajs
}

function exchange(require: NodeJS.Require, path: string, replacement: unknown): void {
  require(path)
  const module = require.cache[require.resolve(path)]
  if (module === undefined) throw new Error(`${path} is not in the module cache`)
  module.exports = replacement
}

interface Grouping {
  readonly topic: string
  readonly partitionMetadata: readonly PartitionMetadata[]
  readonly messages: readonly Message[]
  readonly partitioner: (args: PartitionerArgs) => number
}

/**
 * Messages by the partition that the partitioner gives them, in their order. Throws when the topic
 * has no such partition: the library itself would drop the messages without a word.
 */
export function groupByPartition(grouping: Grouping): Record<number, Message[]> {
  const { topic, messages, partitioner } = grouping
  const partitionMetadata = [...grouping.partitionMetadata]
  const known = new Set(partitionMetadata.map(({ partitionId }) => partitionId))
  const groups: Record<number, Message[]> = {}
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message })
    const group = groups[partition]
    if (group !== undefined) group.push(message)
    else if (known.has(partition)) groups[partition] = [message]
    else throw noSuchPartition(topic, partition)
  }
  return groups
}

function noSuchPartition(topic: string, partition: number): SealError {
  const error = new SealError(
    'SEAL_KAFKA_REFUSED',
    `topic ${topic} has no partition ${partition}; it needs as many as its source, a restart adds them`,
  )
  // The name by which the library knows that trying again is of no use.
  return Object.assign(error, { retriable: false })
}
