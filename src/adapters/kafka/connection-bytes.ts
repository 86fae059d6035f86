import { connect, type Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { responseMemory } from './response-memory.ts'

/** What kafkajs' connection to one broker has of use here. */
export interface Connection {
  readonly socket: Socket
  /** Set while credentials are exchanged, in which bytes have other forms. */
  readonly authHandlers: unknown
  readonly requestQueue: {
    fulfillRequest(response: { size: number; correlationId: number; payload: Buffer }): void
  }
}

/** The response that comes in: its length, or what of it is there. */
interface Incoming {
  readonly socket: Socket
  readonly length: Buffer
  lengthBytes: number
  body: Buffer | null
  bodyBytes: number
}

const LENGTH_BYTES = 4
const CORRELATION_BYTES = 4
/** Above every fetch that can be configured, and below what the greeting of another protocol would be. */
const RESPONSE_BYTES_MAX = 1_100 * 1024 * 1024
const READ_BYTES = 256 * 1024
const KEEP_ALIVE_MS = 60_000

/**
 * Takes what a connection received, in place of the library's own: that one keeps every chunk and
 * copies all of them together at the end, so that a fetch stands in memory twice, and it goes on with
 * half a response of the connection before. Here bytes go to their place as they come in; `data` stays
 * whose it is. `original` hears what belongs to the exchange of credentials.
 */
export function withResponsePlaces<C extends Connection>(
  original: (this: C, data: Buffer) => void,
): (this: C, data: Buffer) => void {
  const incoming = new WeakMap<C, Incoming>()
  return function processData(this: C, data: Buffer): void {
    let current = incoming.get(this)
    if (current?.socket !== this.socket) {
      current = nothingYet(this.socket)
      incoming.set(this, current)
    }
    for (let at = 0; at < data.length; ) {
      if (this.authHandlers) {
        original.call(this, Buffer.from(data.subarray(at)))
        return
      }
      at += take(this, current, data, at)
    }
  }
}

function nothingYet(socket: Socket): Incoming {
  const length = Buffer.alloc(LENGTH_BYTES)
  return { socket, length, lengthBytes: 0, body: null, bodyBytes: 0 }
}

/** Puts bytes from `at` on in their place and says how many. */
function take(connection: Connection, incoming: Incoming, data: Buffer, at: number): number {
  if (incoming.body === null) {
    const bytes = data.copy(incoming.length, incoming.lengthBytes, at)
    incoming.lengthBytes += bytes
    if (incoming.lengthBytes < LENGTH_BYTES || begin(incoming)) return bytes
    return data.length - at
  }
  const bytes = data.copy(incoming.body, incoming.bodyBytes, at)
  incoming.bodyBytes += bytes
  if (incoming.bodyBytes === incoming.body.length) {
    const { body } = incoming
    incoming.body = null
    incoming.lengthBytes = 0
    connection.requestQueue.fulfillRequest({
      size: body.length,
      correlationId: body.readInt32BE(0),
      payload: body.subarray(CORRELATION_BYTES),
    })
  }
  return bytes
}

/** Makes room for a response. False when there will be none. */
function begin(incoming: Incoming): boolean {
  const bytes = incoming.length.readInt32BE(0)
  if (bytes < CORRELATION_BYTES || bytes > RESPONSE_BYTES_MAX) {
    incoming.socket.destroy(new Error('what answers is no Kafka broker'))
    incoming.lengthBytes = 0
    return false
  }
  incoming.body = responseMemory.take(bytes)
  incoming.bodyBytes = 0
  return true
}

/**
 * Sockets that read into the same memory again and again. By itself Node makes a buffer a read, and
 * memory outside its heap is what makes the garbage collector run. Whoever listens must be done with
 * the bytes when the event ends, as {@link withResponsePlaces} is. For connections without TLS, which
 * makes buffers of its own.
 */
export const steadySockets: ISocketFactory = ({ host, port, onConnect }) => {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const socket: Socket = connect(
    {
      ...{ host, port },
      onread: {
        buffer,
        callback: (bytes) => {
          socket.emit('data', buffer.subarray(0, bytes))
          return true
        },
      },
    },
    onConnect,
  )
  return socket.setKeepAlive(true, KEEP_ALIVE_MS)
}

/** A request as kafkajs sends it. */
interface Request {
  readonly correlationId: number
  readonly clientId: string
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    encode(): Promise<{ readonly buffer: Buffer }>
  }
}

const REQUEST_HEAD_BYTES = 14

/**
 * Puts the header of a request (Kafka protocol, "Request Header" v1) before its body, in place of the
 * library's own, which copies the body twice into buffers of up to twice its size.
 */
export async function encodeRequest({ correlationId, clientId, request }: Request) {
  const { buffer: body } = await request.encode()
  const client = Buffer.from(clientId)
  const head = Buffer.alloc(REQUEST_HEAD_BYTES)
  head.writeInt32BE(REQUEST_HEAD_BYTES - LENGTH_BYTES + client.length + body.length, 0)
  head.writeInt16BE(request.apiKey, 4)
  head.writeInt16BE(request.apiVersion, 6)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(client.length, 12)
  return { buffer: Buffer.concat([head, client, body]) }
}
