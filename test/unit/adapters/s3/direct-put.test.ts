import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { S3ObjectStore } from '../../../../src/adapters/s3/s3-object-store.ts'

interface Seen {
  readonly method: string | undefined
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const BODY = Buffer.from('sealed bytes')
const METADATA = { 'ss-v': '1', 'ss-kek': 'arn%3Aaws%3Akms', 'ss-u': 'token' }
/** Of the connection, and of who asks: the SDK has more of them. */
const INCIDENTAL = /^(amz-sdk-.*|connection|user-agent|x-amz-user-agent|authorization|x-amz-date)$/

let server: Server
let store: S3ObjectStore
let seen: Seen[]
/** What the server answers, one after the other; afterwards that it was done. */
let answers: ((response: ServerResponse) => void)[]

const done = (response: ServerResponse) => void response.writeHead(200, { etag: '"tag"' }).end()
const failing = (status: number, code: string) => (response: ServerResponse) =>
  void response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code></Error>`)
const described = (metadata: Record<string, string>) => (response: ServerResponse) => {
  const headers = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])
  response.writeHead(200, { 'content-length': BODY.length, ...Object.fromEntries(headers) }).end()
}

beforeEach(async () => {
  seen = []
  answers = []
  server = createServer(async (request, response) => {
    const { method, url = '', headers } = request
    seen.push({ method, url, headers, body: String(await buffer(request)) })
    const answer = answers.shift() ?? done
    answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  store = new S3ObjectStore({
    ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: 'sealed' },
    ...{ forcePathStyle: true, requestTimeoutMs: 500, accessKeyId: 'a', secretAccessKey: 'b' },
  })
})

afterEach(async () => {
  await store.close()
  server.closeAllConnections()
  server.close()
})

const isBySdk = () => seen.map(({ url }) => url.includes('x-id='))
const ofTheObject = ({ method, url, headers, body }: Seen) => ({
  method,
  path: new URL(url, 'http://localhost').pathname,
  body,
  headers: Object.entries(headers)
    .filter(([name]) => !INCIDENTAL.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1)),
})

describe('an object', () => {
  it('is put by one request that is not made by the SDK, on connections that stay open', async () => {
    let connections = 0
    server.on('connection', () => connections++)
    const keys = Array.from({ length: 10 }, (_, i) => `orders/${i}.seal`)
    for (const key of keys) await store.put(key, BODY, METADATA)
    expect(seen.map(({ url }) => url)).toEqual(keys.map((key) => `/sealed/${key}`))
    // The end of an answer is read while the next object is put.
    expect(connections).toBeLessThanOrEqual(2)
  })

  it.each([
    ['a new one', undefined],
    ['one in place of another', '"etag"'],
  ])('is sent as the SDK would send it: %s', async (_, replaces) => {
    answers = [failing(400, 'RequestTimeout')]
    await store.put("a b/ü+&='()*!~$@:,;%2F.seal", BODY, METADATA, replaces)
    const [ours, sdk] = seen.map(ofTheObject)
    expect(isBySdk()).toEqual([false, true])
    expect(ours).toEqual(sdk)
    expect(ours?.body).toBe(String(BODY))
  })

  it.each([
    ['refused', failing(403, 'AccessDenied'), 'SEAL_STORE_REFUSED'],
    ['not answered', () => {}, 'SEAL_STORE_UNAVAILABLE'],
    ['hung up on', (response: ServerResponse) => void response.destroy(), 'SEAL_STORE_UNAVAILABLE'],
  ])(
    'that is %s is put again by the SDK, which then says what is wrong',
    async (_, answer, code) => {
      answers = [answer, answer]
      await expect(store.put('a', BODY, METADATA)).rejects.toMatchObject({ code })
      expect(isBySdk()).toEqual([false, true])
    },
  )

  it.each([
    [429, 'TooManyRequests'],
    [503, 'SlowDown'],
  ])('is not put again at once into a store that is busy: %i', async (status, name) => {
    answers = [failing(status, name)]
    await expect(store.put('a', BODY, METADATA)).rejects.toMatchObject({
      ...{ code: 'SEAL_STORE_UNAVAILABLE', retryable: true },
      message: expect.stringContaining(`status ${status}`),
    })
    expect(isBySdk()).toEqual([false])
  })

  const others = { ...METADATA, 'ss-u': 'other' }
  it.each([
    ['is ours when it has our token', METADATA, null, undefined],
    ['is not ours with another token', others, 'SEAL_STORE_REFUSED', undefined],
    ['is ours in place of another', METADATA, null, '"etag"'],
    ['is somebody else’s in place of another', others, 'SEAL_OBJECT_CHANGED', '"etag"'],
  ])(
    'that was there before %s: the answer to the first request got lost',
    async (_, found, code, replaces) => {
      const unmet = failing(412, 'PreconditionFailed')
      answers = [(response) => void response.destroy(), unmet, described(found)]
      const putting = store.put('a', BODY, METADATA, replaces)
      if (code === null) await putting
      else await expect(putting).rejects.toMatchObject({ code })
      expect(seen.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'HEAD'])
    },
  )
})
