import { once } from 'node:events'
import { connect } from 'node:net'
import { systemClock } from '../../src/clock.ts'
import {
  type Compression,
  encodeRecordBatch,
  int16,
  int32,
  type RawRecord,
} from './record-batch.ts'

/** Where a broker put the first record of a batch, and the time it gave to an append-time topic. */
export interface Appended {
  readonly baseOffset: number
  /** -1 where the topic keeps the time of its producers. */
  readonly appendedAtMs: bigint
}

const PRODUCE = 0
/** The first that takes zstd. */
const PRODUCE_VERSION = 7
const ALL_REPLICAS = -1
/** Unknown partition, no leader, not the leader: so says a broker of what it has just created. */
const NOT_YET = new Set([3, 5, 6])
const TRIES_MAX = 100
const RETRY_AFTER_MS = 100
const TIMEOUT_MS = 10_000
/** A broker that is stopped takes requests and does not answer. */
const ANSWER_WITHIN_MS = 15_000

/** Appends one batch as it stands, by one Produce request on a connection of its own. */
export async function appendBatch(
  broker: string,
  at: { readonly topic: string; readonly partition: number },
  records: readonly RawRecord[],
  compression: Compression = 'none',
): Promise<Appended> {
  const request = produceRequest(at, encodeRecordBatch(records, compression))
  // correlation id, one topic with its name, one partition with its number
  const start = 4 + 4 + 2 + Buffer.byteLength(at.topic) + 4 + 4
  let response = await ask(broker, request)
  for (let triesLeft = TRIES_MAX; NOT_YET.has(response.readInt16BE(start)); triesLeft--) {
    if (triesLeft === 0) break
    await systemClock.sleep(RETRY_AFTER_MS)
    response = await ask(broker, request)
  }
  const error = response.readInt16BE(start)
  if (error !== 0) throw new Error(`the broker refuses the batch with error ${error}`)
  return {
    baseOffset: Number(response.readBigInt64BE(start + 2)),
    appendedAtMs: response.readBigInt64BE(start + 10),
  }
}

function produceRequest(at: { topic: string; partition: number }, batch: Buffer): Buffer {
  const body = Buffer.concat([
    int16(PRODUCE),
    int16(PRODUCE_VERSION),
    int32(1),
    string('sealstream-test'),
    int16(-1),
    int16(ALL_REPLICAS),
    int32(TIMEOUT_MS),
    int32(1),
    string(at.topic),
    int32(1),
    int32(at.partition),
    int32(batch.length),
    batch,
  ])
  return Buffer.concat([int32(body.length), body])
}

/** Sends one request and gives its answer without the length. */
async function ask(broker: string, request: Buffer): Promise<Buffer> {
  const [host, port] = broker.split(':')
  const socket = connect({ host: host as string, port: Number(port) })
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error(`${broker} does not answer`)))
  try {
    await once(socket, 'connect')
    socket.write(request)
    let answer = Buffer.alloc(0)
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk as Buffer])
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) break
    }
    if (answer.length < 4) throw new Error(`${broker} closed the connection without an answer`)
    return answer.subarray(4)
  } finally {
    socket.destroy()
  }
}

function string(text: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)])
}
