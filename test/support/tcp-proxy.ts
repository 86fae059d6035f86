import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy before a service, to take the service away without ending it: `cut` resets every
 * connection and refuses new ones, `restore` listens on the same port again. Between `holdAnswers` and
 * `releaseAnswers` requests still arrive, and what the service says to them does not come back.
 */
export class TcpProxy {
  readonly port: number
  readonly #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  #server: Server | null
  /** What brings held answers on their way. */
  #held: (() => void)[] | null = null
  readonly #answering = new Map<Socket, Socket>()

  private constructor(target: { host: string; port: number }, server: Server) {
    this.#target = target
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => this.#join(socket))
  }

  /** Starts before `target` (`host:port`), on a free port of 127.0.0.1. */
  static async before(target: string): Promise<TcpProxy> {
    const [host, port] = target.split(':')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy({ host: host as string, port: Number(port) }, server)
  }

  /** `host:port` to connect to. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Takes the service away. Resolves when the port refuses connections. */
  async cut(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  /** Gives the service back, on the port of before. */
  async restore(): Promise<void> {
    if (this.#server !== null) return
    const server = createServer((socket) => this.#join(socket)).listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  /** Keeps back everything that the service says from now on. */
  holdAnswers(): void {
    this.#held ??= []
    for (const [upstream, client] of this.#answering) {
      upstream.unpipe(client)
      this.#held.push(() => upstream.pipe(client))
    }
  }

  /** Lets go of what was held, and holds nothing any more. */
  releaseAnswers(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const release of held) release()
  }

  #join(client: Socket): void {
    const upstream = connect(this.#target)
    this.#answering.set(upstream, client)
    upstream.on('close', () => this.#answering.delete(upstream))
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
      socket.setNoDelay(true)
    }
    client.pipe(upstream)
    if (this.#held === null) upstream.pipe(client)
    else this.#held.push(() => upstream.pipe(client))
  }
}
