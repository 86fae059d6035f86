import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What the broker answered to one batch. */
export interface Produced {
  readonly baseOffset: number
}

const PRODUCE = 0
/** The first version that takes batches of format 2; every broker from 0.11 to 4 speaks it. */
const VERSION = 3
const CLIENT_ID = Buffer.from('bench')
const TIMEOUT_MS = 30_000
const ACKS_ALL = -1

/**
 * A producer of batches that are ready-made: one connection, any number of requests under way, which
 * the broker takes in their order. It knows one broker and neither retries nor follows leaders: what
 * it is for is to cost nothing beside what is measured.
 */
export class RawProducer {
  readonly #socket: Socket
  readonly #waiting: PromiseWithResolvers<Produced>[] = []
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

  /** Sends one batch and resolves once the broker has it. */
  send(topic: string, partition: number, batch: readonly Buffer[]): Promise<Produced> {
    const bytes = batch.reduce((sum, piece) => sum + piece.length, 0)
    const answer = Promise.withResolvers<Produced>()
    this.#waiting.push(answer)
    this.#socket.cork()
    this.#socket.write(headOf(this.#correlation++, topic, partition, bytes))
    for (const piece of batch) this.#socket.write(piece)
    this.#socket.uncork()
    return answer.promise
  }

  /** Requests that the broker has not answered yet. */
  get underWay(): number {
    return this.#waiting.length
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

  /** One topic with one partition: its error code and offset stand behind the name of the topic. */
  #answered(answer: Buffer): void {
    const nameBytes = answer.readInt16BE(8)
    const at = 8 + 2 + nameBytes + 4 + 4
    const waiting = this.#waiting.shift()
    const code = answer.readInt16BE(at)
    if (code !== 0) waiting?.reject(new Error(`the broker refused a batch with code ${code}`))
    else waiting?.resolve({ baseOffset: Number(answer.readBigInt64BE(at + 2)) })
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/** Everything before the batch: frame, request header, and a body with one topic and one partition. */
function headOf(correlation: number, topic: string, partition: number, bytes: number): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.alloc(4 + 10 + CLIENT_ID.length + 12 + 2 + name.length + 12)
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
  at = head.writeInt32BE(1, at)
  at = head.writeInt32BE(partition, at)
  head.writeInt32BE(bytes, at)
  return head
}
