import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Requests by the number that they have in the protocol. */
export const API = { fetch: 1, endTxn: 26 } as const

const LOOPBACK = Buffer.from('127.0.0.1')

/** What stands between a broker and its clients: frames, each with the kind of its request. */
export interface Between {
  /** What goes on of a request; null for nothing, for the time being. */
  request?(apiKey: number, frame: Buffer, send: (frame: Buffer) => void): Buffer | null
  /** What comes back of an answer; null for nothing, for the time being. */
  answer?(apiKey: number, frame: Buffer, send: (frame: Buffer) => void): Buffer | null
}

/**
 * A proxy before a single broker that knows requests and answers. It puts its own address in the place of
 * the broker's wherever that tells where it is, so that clients stay on it.
 */
export class KafkaProxy {
  readonly #server: Server
  readonly #target: { readonly host: string; readonly port: number }
  readonly #between: Between
  readonly #sockets = new Set<Socket>()

  private constructor(target: string, server: Server, between: Between) {
    const [host, port] = target.split(':')
    this.#target = { host: host as string, port: Number(port) }
    this.#server = server
    this.#between = between
    server.on('connection', (client) => this.#join(client))
  }

  /** Starts before `target` (`127.0.0.1:port`), on a free port. */
  static async before(target: string, between: Between): Promise<KafkaProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new KafkaProxy(target, server, between)
  }

  /** `host:port` to connect to. */
  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Ends every connection. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #join(client: Socket): void {
    const upstream = connect(this.#target)
    /** Kinds of the requests that are not answered yet, by correlation id. */
    const asked = new Map<number, number>()
    const { request, answer } = this.#between
    onFrames(client, (frame) => {
      const apiKey = frame.readInt16BE(4)
      asked.set(frame.readInt32BE(8), apiKey)
      const send = (sent: Buffer) => void (upstream.writable && upstream.write(sent))
      const sent = request === undefined ? frame : request(apiKey, frame, send)
      if (sent !== null) send(sent)
    })
    onFrames(upstream, (frame) => {
      const id = frame.readInt32BE(4)
      const apiKey = asked.get(id) ?? -1
      asked.delete(id)
      this.#putAddress(frame)
      const send = (sent: Buffer) => void (client.writable && client.write(sent))
      const sent = answer === undefined ? frame : answer(apiKey, frame, send)
      if (sent !== null) send(sent)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }

  /** A host is followed by its port, in four bytes. */
  #putAddress(frame: Buffer): void {
    for (let at = frame.indexOf(LOOPBACK); at >= 0; at = frame.indexOf(LOOPBACK, at + 1)) {
      const portAt = at + LOOPBACK.length
      if (portAt + 4 > frame.length || frame.readInt32BE(portAt) !== this.#target.port) continue
      frame.writeInt32BE(this.#port, portAt)
    }
  }
}

/** Hands on whole frames, each with its length before it, as buffers of their own. */
function onFrames(socket: Socket, handle: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      handle(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
  })
}
