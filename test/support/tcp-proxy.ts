import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { systemClock } from '../../src/clock.ts'
import type { SelfSigned } from './self-signed.ts'
import { type Judge, type WireProtocol, WireSession } from './wire-session.ts'

/** Requests go to the service, answers come from it. */
export type Direction = 'requests' | 'answers'

/**
 * What happens to the bytes of one direction, counted over all connections from the moment it is
 * set. `flip` and `cut` strike once: a bit of byte `atByte` changes; the connection that carries
 * byte `atByte` is reset before it. `end` half-closes instead: that connection says nothing more in
 * this direction, and goes on in the other.
 */
export type Toxic =
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'slice'; readonly bytes: number }
  | { readonly kind: 'flip' | 'cut' | 'end'; readonly atByte: number }

/** How a proxy stands before its service. */
export interface TcpProxyOptions {
  /** Speaks TLS to clients; the service is still reached in the clear. */
  readonly tls?: SelfSigned
  /** Takes the stream for frames of this protocol, so that single answers can be lost. */
  readonly protocol?: WireProtocol
}

interface Poison {
  readonly toxic: Toxic
  bytesBefore: number
}

/**
 * A TCP proxy before a service, to take the service away without ending it, or to harm what is
 * said. `cut` resets every connection and refuses new ones, `restore` listens on the same port
 * again. Between `hold` and `release` connections stay, and nothing passes. All of it takes effect
 * at once, on the connections that are there too.
 */
export class TcpProxy {
  readonly port: number
  /** Decides what becomes of each request and its answer; needs a protocol. */
  judge: Judge | null = null
  readonly #target: { readonly host: string; readonly port: number }
  readonly #options: TcpProxyOptions
  readonly #sockets = new Set<Socket>()
  readonly #poisons = new Map<Direction, Poison>()
  readonly #gates = new Map<Direction, PromiseWithResolvers<void>>()
  #server: Server | null
  #struck = 0

  private constructor(
    target: { host: string; port: number },
    options: TcpProxyOptions,
    server: Server,
  ) {
    this.#target = target
    this.#options = options
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.#serve(server)
  }

  /** Starts before `target` (`host:port`), on a free port of 127.0.0.1. */
  static async before(target: string, options: TcpProxyOptions = {}): Promise<TcpProxy> {
    const [host, port] = target.split(':')
    const server = newServer(options).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy({ host: host as string, port: Number(port) }, options, server)
  }

  /** `host:port` to connect to. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** How often a toxic that strikes once has done so. */
  get struck(): number {
    return this.#struck
  }

  /** Takes the service away. Resolves when the port refuses connections. */
  async cut(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = once(server, 'close')
    server.close()
    this.release()
    for (const socket of this.#sockets) reset(socket)
    await closed
  }

  /** Gives the service back, on the port of before. */
  async restore(): Promise<void> {
    if (this.#server !== null) return
    const server = newServer(this.#options)
    this.#serve(server)
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
  }

  /** Keeps back everything that is said from now on in these directions. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) {
      if (!this.#gates.has(direction)) this.#gates.set(direction, Promise.withResolvers<void>())
    }
  }

  /** Lets go of what was held, and holds nothing any more. */
  release(): void {
    for (const gate of this.#gates.values()) gate.resolve()
    this.#gates.clear()
  }

  /** Sets what happens to bytes of a direction from now on; null lets them pass unharmed. */
  poison(direction: Direction, toxic: Toxic | null): void {
    if (toxic === null) this.#poisons.delete(direction)
    else this.#poisons.set(direction, { toxic, bytesBefore: 0 })
  }

  #serve(server: Server): void {
    const event = this.#options.tls === undefined ? 'connection' : 'secureConnection'
    server.on(event, (socket: Socket) => this.#join(socket))
    // A client that does not trust the certificate ends the handshake: that is its right.
    server.on('tlsClientError', () => {})
  }

  #join(client: Socket): void {
    const upstream = connect({ ...this.#target, allowHalfOpen: true })
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
    const { protocol } = this.#options
    const session = protocol && new WireSession(protocol, this.#target.port, this.port)
    const judge: Judge = (request) => this.judge?.(request) ?? 'pass'
    const ask = session && ((bytes: Buffer) => session.ask(bytes, judge))
    const answer = session && ((bytes: Buffer) => session.answer(bytes))
    const harm = () => {
      reset(client)
      upstream.destroy()
    }
    // A socket that ended under its pump has told `error` and `close` already.
    this.#pump('requests', client, upstream, ask).catch(harm)
    this.#pump('answers', upstream, client, answer).catch(harm)
  }

  /** Carries one direction of one connection; rejects when the connection must end. */
  async #pump(
    direction: Direction,
    from: Socket,
    to: Socket,
    session?: (bytes: Buffer) => Promise<Buffer>,
  ): Promise<void> {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      await this.#gates.get(direction)?.promise
      const bytes = session === undefined ? (chunk as Buffer) : await session(chunk as Buffer)
      if (bytes.length > 0 && !to.writableEnded) await this.#pass(direction, bytes, to)
    }
    await this.#gates.get(direction)?.promise
    to.end()
  }

  async #pass(direction: Direction, bytes: Buffer, to: Socket): Promise<void> {
    const poison = this.#poisons.get(direction)
    if (poison === undefined) return write(to, bytes)
    const { toxic, bytesBefore } = poison
    poison.bytesBefore += bytes.length
    if (toxic.kind === 'delay') {
      await systemClock.sleep(toxic.ms)
      return write(to, bytes)
    }
    if (toxic.kind === 'slice') {
      for (let at = 0; at < bytes.length; at += toxic.bytes) {
        await write(to, bytes.subarray(at, at + toxic.bytes))
      }
      return
    }
    const at = toxic.atByte - bytesBefore
    if (at < 0 || at >= bytes.length) return write(to, bytes)
    this.#struck++
    if (toxic.kind === 'flip') {
      bytes[at] = (bytes[at] as number) ^ 0x10
      return write(to, bytes)
    }
    await write(to, bytes.subarray(0, at))
    if (toxic.kind === 'cut') throw new Error('the connection is cut')
    to.end()
  }
}

function newServer({ tls }: TcpProxyOptions): Server {
  if (tls === undefined) return createServer({ allowHalfOpen: true })
  return createTlsServer({ key: tls.keyPem, cert: tls.certPem, allowHalfOpen: true })
}

function write(to: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    to.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

/** TLS sockets know no reset; to their peer an end without goodbye is as sudden. */
function reset(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
