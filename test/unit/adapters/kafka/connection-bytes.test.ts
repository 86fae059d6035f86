import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  type Connection,
  encodeRequest,
  steadySockets,
  withResponsePlaces,
} from '../../../../src/adapters/kafka/connection-bytes.ts'

interface Response {
  readonly size: number
  readonly correlationId: number
  readonly payload: Buffer
}

/** A connection as kafkajs has it, with what it was given. */
class FakeConnection implements Connection {
  authHandlers: unknown = null
  destroyed: Error[] = []
  socket = { destroy: (error: Error) => void this.destroyed.push(error) } as unknown as Socket
  readonly responses: Response[] = []
  readonly handshake: Buffer[] = []
  readonly requestQueue = { fulfillRequest: (one: Response) => void this.responses.push(one) }
  readonly #process = withResponsePlaces<FakeConnection>((data) => this.handshake.push(data))

  receive(data: Buffer): void {
    this.#process.call(this, data)
  }

  get texts(): string[] {
    return this.responses.map(({ correlationId, payload }) => `${correlationId} ${payload}`)
  }
}

function response(correlationId: number, text: string): Buffer {
  const bytes = Buffer.alloc(8 + text.length)
  bytes.writeInt32BE(4 + text.length, 0)
  bytes.writeInt32BE(correlationId, 4)
  bytes.write(text, 8)
  return bytes
}

const TWO = Buffer.concat([response(1, 'first'), response(2, ''), response(3, 'third')])
const TEXTS = ['1 first', '2 ', '3 third']

describe('what a connection receives', () => {
  it('comes out response by response, wherever it is cut', () => {
    for (let cut = 1; cut < TWO.length; cut++) {
      const connection = new FakeConnection()
      for (let at = 0; at < TWO.length; at += cut) connection.receive(TWO.subarray(at, at + cut))
      expect(connection.texts).toEqual(TEXTS)
    }
  })

  it('is not what the memory that it came in holds afterwards', () => {
    const connection = new FakeConnection()
    const memory = Buffer.from(TWO)
    connection.receive(memory)
    memory.fill(0xff)
    expect(connection.texts).toEqual(TEXTS)
  })

  it('begins anew with another socket: half a response of the one before is nothing', () => {
    const connection = new FakeConnection()
    connection.receive(TWO.subarray(0, 10))
    connection.socket = { ...connection.socket } as Socket
    connection.receive(TWO)
    expect(connection.texts).toEqual(TEXTS)
  })

  it('is left to the library while credentials are exchanged, as bytes of its own', () => {
    const connection = new FakeConnection()
    connection.authHandlers = {}
    const memory = Buffer.from('handshake')
    connection.receive(memory)
    memory.fill(0)
    expect(connection.handshake.map(String)).toEqual(['handshake'])
    connection.authHandlers = null
    connection.receive(TWO)
    expect(connection.texts).toEqual(TEXTS)
  })

  it.each([
    ['the greeting of a web server', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a length below zero', Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3])],
    ['a length that has no room for an id', Buffer.from([0, 0, 0, 3, 1, 2, 3])],
  ])('ends the connection where it is %s', (_what, bytes) => {
    const connection = new FakeConnection()
    connection.receive(bytes)
    expect(connection.destroyed).toHaveLength(1)
    expect(connection.responses).toEqual([])
  })
})

it('a socket reads into the same memory again and again, and every byte comes through', async () => {
  const sent = randomBytes(3 * 1024 * 1024)
  const server = createServer((socket) => socket.end(sent))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const got: Buffer[] = []
  const memories = new Set<ArrayBufferLike>()
  const socket = steadySockets({
    ...{ host: '127.0.0.1', port, ssl: undefined as never, onConnect: () => {} },
  })
  socket.on('data', (data: Buffer) => {
    memories.add(data.buffer)
    got.push(Buffer.from(data))
  })
  await once(socket, 'end')
  server.close()
  expect(Buffer.concat(got).equals(sent)).toBe(true)
  expect(memories.size).toBe(1)
})

it('a request has its header before its body', async () => {
  const body = Buffer.from('body')
  const encode = async () => ({ buffer: body })
  const request = { apiKey: 3, apiVersion: 9, encode }
  const { buffer } = await encodeRequest({ correlationId: 7, clientId: 'bänch', request })
  expect(buffer.readInt32BE(0)).toBe(buffer.length - 4)
  expect([buffer.readInt16BE(4), buffer.readInt16BE(6), buffer.readInt32BE(8)]).toEqual([3, 9, 7])
  expect(buffer.readInt16BE(12)).toBe(6)
  expect(buffer.subarray(14).toString()).toBe('bänchbody')
})
