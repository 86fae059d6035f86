import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A batch that is ready-made, for one partition. */
export interface ReadyBatch {
  readonly partition: number
  /** In pieces that are written one behind the other. */
  readonly pieces: readonly Buffer[]
}

const PRODUCE = 0
/** The first version that takes batches of format 2; every broker from 0.11 to 4 speaks it. */
const VERSION = 3
const CLIENT_ID = Buffer.from('bench')
const TIMEOUT_MS = 30_000
const ACKS_ALL = -1
/** Of each partition in an answer. */
const ANSWER_BYTES = 4 + 2 + 8 + 8

/**
 * A producer of batches that are ready-made: one connection, any number of requests under way, which
 * the broker takes in their order. It knows one broker and neither retries nor follows leaders: what
 * it is for is to cost nothing beside what is measured.
 */
export class RawProducer {
  readonly #socket: Socket
  readonly #waiting: PromiseWithResolvers<number[]>[] = []
  #received: Buffer[] = []
  #receivedBytes = 0
  #correlation = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')))
    socket.on('error', (error) => this.#fail(error))
  }

  /** Connects to `host:port`. */
  static async connect(broker: string): Promise<RawProducer> {
    const [host = '', port = ''] = broker.split(':')
    const socket = connect({ host, port: Number(port) })
    await once(socket, 'connect')
    return new RawProducer(socket)
  }

  /** Sends batches in one request; resolves once the broker has them, to the offset of each. */
  send(topic: string, batches: readonly ReadyBatch[]): Promise<number[]> {
    const answer = Promise.withResolvers<number[]>()
    this.#waiting.push(answer)
    const partitions = batches.map(({ partition, pieces }) => [
      partitionHead(partition, bytesOf(pieces)),
      ...pieces,
    ])
    const rest = partitions.flat()
    this.#socket.cork()
    this.#socket.write(headOf(this.#correlation++, topic, batches.length, bytesOf(rest)))
    for (const piece of rest) this.#socket.write(piece)
    this.#socket.uncork()
    return answer.promise
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#received.push(bytes)
    this.#receivedBytes += bytes.length
    if (this.#receivedBytes < 4) return
    let all = Buffer.concat(this.#received)
    while (all.length >= 4 && all.length >= 4 + all.readInt32BE(0)) {
      const end = 4 + all.readInt32BE(0)
      this.#answered(all.subarray(4, end))
      all = all.subarray(end)
    }
    this.#received = [all]
    this.#receivedBytes = all.length
  }

  /** One topic with its partitions: error code, offset and append time of each. */
  #answered(answer: Buffer): void {
    const countAt = 8 + 2 + answer.readInt16BE(8)
    const offsets: number[] = []
    let code = 0
    for (let i = 0; i < answer.readInt32BE(countAt); i++) {
      const at = countAt + 4 + i * ANSWER_BYTES
      code ||= answer.readInt16BE(at + 4)
      offsets.push(Number(answer.readBigInt64BE(at + 6)))
    }
    const waiting = this.#waiting.shift()
    if (code === 0) waiting?.resolve(offsets)
    else waiting?.reject(new Error(`the broker refused a batch with code ${code}`))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/** Everything before the partitions: frame, request header, and a body with one topic. */
function headOf(correlation: number, topic: string, partitions: number, bytes: number): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.alloc(4 + 10 + CLIENT_ID.length + 12 + 2 + name.length + 4)
  let at = head.writeInt32BE(head.length - 4 + bytes, 0)
  at = head.writeInt16BE(PRODUCE, at)
  at = head.writeInt16BE(VERSION, at)
  at = head.writeInt32BE(correlation, at)
  at = head.writeInt16BE(CLIENT_ID.length, at)
  at += CLIENT_ID.copy(head, at)
  at = head.writeInt16BE(-1, at) // no transaction
  at = head.writeInt16BE(ACKS_ALL, at)
  at = head.writeInt32BE(TIMEOUT_MS, at)
  at = head.writeInt32BE(1, at)
  at = head.writeInt16BE(name.length, at)
  at += name.copy(head, at)
  head.writeInt32BE(partitions, at)
  return head
}

function partitionHead(partition: number, bytes: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(partition, 0)
  head.writeInt32BE(bytes, 4)
  return head
}

function bytesOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
