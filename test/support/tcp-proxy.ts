import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy before a service, to take the service away without ending it: `cut` resets every
 * connection and refuses new ones, `restore` listens on the same port again.
 */
export class TcpProxy {
  readonly port: number
  readonly #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  #server: Server | null

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

  #join(client: Socket): void {
    const upstream = connect(this.#target)
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
      socket.pipe(other)
    }
  }
}
