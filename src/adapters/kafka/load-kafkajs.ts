import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import type { Message, PartitionerArgs, PartitionMetadata } from 'kafkajs'
import { SealError } from '../../errors.ts'
import { FetchedRecords } from './fetched-records.ts'
import { decodeRecordSet } from './record-batch.ts'

type Kafkajs = typeof import('kafkajs')

const RECORD_SET_DECODER = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js'
const BATCH = 'kafkajs/src/consumer/batch.js'
const GROUPING = 'kafkajs/src/producer/groupMessagesPerPartition.js'

let loaded: Kafkajs | null = null

/**
 * Loads kafkajs with three of its modules exchanged for ours (docs/decisions, "kafkajs"):
 * - its decoder of fetched records checks no checksum, bounds no decompression, knows one codec, and
 *   merges headers into a plain object (record-batch.ts);
 * - its batch lets aborted messages through, and tells not of all that was fetched (fetched-records.ts);
 * - its grouping of messages by partition copies the list for every message, which takes a quarter
 *   of the main thread when references are published by the thousand.
 * The library loads its protocol lazily and by path, so modules are exchanged in the module cache,
 * after forgetting what may hold the old ones.
 */
export function loadKafkajs(): Kafkajs {
  if (loaded !== null) return loaded
  const require = createRequire(import.meta.url)
  const root = dirname(require.resolve('kafkajs/package.json')) + sep
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(root)) delete require.cache[path]
  }
  exchange(require, RECORD_SET_DECODER, decodeRecordSet)
  exchange(require, BATCH, FetchedRecords)
  exchange(require, GROUPING, groupByPartition)
  loaded = require('kafkajs') as Kafkajs
  return loaded
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
