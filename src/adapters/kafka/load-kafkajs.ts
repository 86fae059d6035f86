import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import type { Message, PartitionerArgs, PartitionMetadata } from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import { encodeRequest, withResponsePlaces } from './connection-bytes.ts'
import { FetchedRecords } from './fetched-records.ts'
import { withRecentCoordinators } from './recent-coordinators.ts'
import { decodeRecordSet } from './record-batch.ts'
import { RunOfMessages, withRunRequests } from './record-run-request.ts'

type Kafkajs = typeof import('kafkajs')

const RECORD_SET_DECODER = 'kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js'
const BATCH = 'kafkajs/src/consumer/batch.js'
const EVENTS = 'kafkajs/src/consumer/instrumentationEvents.js'
const CONSUMER_GROUP = 'kafkajs/src/consumer/consumerGroup.js'
const CLUSTER = 'kafkajs/src/cluster/index.js'
const CONNECTION = 'kafkajs/src/network/connection.js'
const REQUEST = 'kafkajs/src/protocol/request.js'
const REQUEST_QUEUE = 'kafkajs/src/network/requestQueue/index.js'
const GROUPING = 'kafkajs/src/producer/groupMessagesPerPartition.js'
const PRODUCE_REQUEST = 'kafkajs/src/protocol/requests/produce/v3/request.js'

/** The event that consumers of ours have more: Kafka holds nothing at the position of a partition. */
export const OUT_OF_RANGE = 'consumer.out_of_range'

let loaded: Kafkajs | null = null

/**
 * Loads kafkajs with parts of it exchanged for ours (docs/decisions, "kafkajs"):
 * - its decoder of fetched records checks no checksum, bounds no decompression, knows one codec, and
 *   merges headers into a plain object (record-batch.ts);
 * - its batch lets aborted messages through, and tells not of all that was fetched (fetched-records.ts);
 * - where Kafka holds nothing at a position, its consumer group moves to the default of the subscription
 *   and even commits that, without a word: messages are skipped, or come again. Ours pauses the
 *   partition and tells;
 * - its request queue sets a timer after every answer, mostly with a negative delay, of which Node warns;
 * - its grouping of messages by partition copies the list for every message, which takes a quarter
 *   of the main thread when references are published by the thousand;
 * - its produce request makes ten objects a record. Ours also takes records that were encoded elsewhere
 *   (record-run-request.ts);
 * - its cluster looks coordinators up again before each step of a transaction (recent-coordinators.ts);
 * - its connections hold every response twice while it comes in, and copy every request twice
 *   (connection-bytes.ts).
 * The library loads its protocol lazily and by path, so modules are exchanged in the module cache,
 * after forgetting what may hold the old ones. A process must load kafkajs by this alone: what another one
 * loads later would be in part ours.
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
  exchange(require, REQUEST, encodeRequest)
  exchange(require, PRODUCE_REQUEST, withRunRequests(require(PRODUCE_REQUEST)))
  require(EVENTS).events.OUT_OF_RANGE = OUT_OF_RANGE
  require(CONSUMER_GROUP).prototype.recoverFromOffsetOutOfRange = tellOutOfRange
  const cluster = require(CLUSTER).prototype
  cluster.findGroupCoordinatorMetadata = withRecentCoordinators(
    cluster.findGroupCoordinatorMetadata,
  )
  const connection = require(CONNECTION).prototype
  connection.processData = withResponsePlaces(connection.processData)
  require(REQUEST_QUEUE).prototype.scheduleCheckPendingRequests = checkPendingLater
  loaded = require('kafkajs') as Kafkajs
  return loaded
}

function exchange(require: NodeJS.Require, path: string, replacement: unknown): void {
  require(path)
  const module = require.cache[require.resolve(path)]
  if (module === undefined) throw new Error(`${path} is not in the module cache`)
  module.exports = replacement
}

/** What kafkajs' consumer group has of use here. */
interface ConsumerGroup {
  pause(at: readonly { topic: string; partitions: readonly number[] }[]): void
  readonly instrumentationEmitter: { emit(event: string, payload: object): void }
}

async function tellOutOfRange(
  this: ConsumerGroup,
  { topic, partition }: { topic: string; partition: number },
): Promise<void> {
  this.pause([{ topic, partitions: [partition] }])
  this.instrumentationEmitter.emit(OUT_OF_RANGE, { topic, partition })
}

/** What kafkajs' queue of requests to one broker has of use here. */
interface RequestQueue {
  readonly pending: readonly unknown[]
  /** Milliseconds since 1970; the broker asked for silence until then. */
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
}

const PENDING_CHECK_MS = 10

/** Looks after requests that wait, once the broker takes them again; without any there is nothing to do. */
function checkPendingLater(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return
  const throttledMs = this.throttledUntil - systemClock.nowMs()
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    throttledMs > 0 ? throttledMs : PENDING_CHECK_MS,
  )
}

interface Grouping {
  readonly topic: string
  readonly partitionMetadata: readonly PartitionMetadata[]
  readonly messages: readonly Message[]
  readonly partitioner: (args: PartitionerArgs) => number
}

/**
 * Messages by the partition that the partitioner gives them, in their order; a run of messages is the
 * list of its partition, which takes no other beside it. Throws when the topic
 * has no such partition: the library itself would drop the messages without a word.
 */
export function groupByPartition(grouping: Grouping): Record<number, Message[] | RunOfMessages> {
  const { topic, messages, partitioner } = grouping
  const partitionMetadata = [...grouping.partitionMetadata]
  const known = new Set(partitionMetadata.map(({ partitionId }) => partitionId))
  const groups: Record<number, Message[] | RunOfMessages> = {}
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message })
    const group = groups[partition]
    if (group === undefined) {
      if (!known.has(partition)) throw noSuchPartition(topic, partition)
      groups[partition] = message instanceof RunOfMessages ? message : [message]
    } else if (Array.isArray(group)) group.push(message)
    else throw new RangeError('a run of messages has its partition to itself')
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
