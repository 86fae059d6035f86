import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { S3ObjectReader } from '../../../../src/adapters/s3/s3-object-reader.ts'
import { selfSigned } from '../../../support/self-signed.ts'

const BY_SDK = 'x-id=GetObject'

let server: Server
let reader: S3ObjectReader
let urls: string[]
let headers: IncomingMessage['headers'][]
/** What the server answers, one after the other; afterwards the ten bytes. */
let answers: ((response: ServerResponse) => void)[]

const tenBytes = (response: ServerResponse) => {
  const described = { etag: '"tag"', 'x-amz-meta-a': 'b', 'content-range': 'bytes 0-9/30' }
  response.writeHead(206, described).end('0123456789')
}
const failing = (status: number, code: string) => (response: ServerResponse) =>
  void response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code></Error>`)
const hangUp = (response: ServerResponse) => void response.destroy()

beforeEach(async () => {
  urls = []
  headers = []
  answers = []
  server = createServer((request, response) => {
    urls.push(request.url ?? '')
    headers.push(request.headers)
    const answer = answers.shift() ?? tenBytes
    answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  reader = new S3ObjectReader({
    ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: 'sealed' },
    ...{ forcePathStyle: true, requestTimeoutMs: 500, accessKeyId: 'a', secretAccessKey: 'b' },
  })
})

afterEach(async () => {
  await reader.close()
  server.closeAllConnections()
  server.close()
})

const isBySdk = () => urls.map((url) => url.includes(BY_SDK))

describe('a range of an object', () => {
  it('is read by one request that is not made by the SDK', async () => {
    const found = await reader.readRange('orders/a.seal', 0, 10)
    expect(found).toEqual({ bytes: Buffer.from('0123456789'), metadata: { a: 'b' }, etag: '"tag"' })
    expect(urls).toEqual(['/sealed/orders/a.seal'])
    expect(headers[0]).toMatchObject({ range: 'bytes=0-9' })
  })

  it('is asked for on a connection that stays open', async () => {
    let connections = 0
    server.on('connection', () => connections++)
    for (let i = 0; i < 5; i++) await reader.readRange('a', 0, 10)
    expect(connections).toBe(1)
  })

  it('is asked for by the name that the SDK would use, and in the version', async () => {
    answers = [failing(503, 'SlowDown')]
    await reader.readRange("a b/ü+&='()*!~$@:,;%2F.seal", 0, 10, 'v 1')
    const [ours, sdk] = urls.map((url) => new URL(url, 'http://localhost'))
    expect(isBySdk()).toEqual([false, true])
    expect(ours?.pathname).toBe(sdk?.pathname)
    expect(ours?.searchParams.get('versionId')).toBe('v 1')
  })

  it('is asked for three times in all, twice by the SDK, which then says what is wrong', async () => {
    answers = Array.from({ length: 3 }, () => failing(503, 'SlowDown'))
    await expect(reader.readRange('a', 0, 10)).rejects.toMatchObject({
      code: 'SEAL_STORE_UNAVAILABLE',
    })
    expect(isBySdk()).toEqual([false, true, true])
  })

  it.each([
    ['that is not there', failing(404, 'NoSuchKey'), 'SEAL_OBJECT_MISSING'],
    ['that is refused', failing(403, 'AccessDenied'), 'SEAL_STORE_REFUSED'],
    ['that is not in the object', failing(416, 'InvalidRange'), 'SEAL_MALFORMED'],
  ])('%s fails as the SDK says', async (_, answer, code) => {
    answers = [answer, answer]
    await expect(reader.readRange('a', 0, 10)).rejects.toMatchObject({ code })
    expect(isBySdk()).toEqual([false, true])
  })

  it('survives a connection that was closed meanwhile, and a server that says nothing', async () => {
    answers = [tenBytes, hangUp, tenBytes, () => {}]
    for (let i = 0; i < 3; i++) await reader.readRange('a', 0, 10)
    expect(isBySdk()).toEqual([false, false, true, false, true])
  })

  it('is given up with its signal', async () => {
    answers = [() => {}]
    const reason = new Error('no longer wanted')
    const stop = new AbortController()
    setTimeout(() => stop.abort(reason), 50)
    await expect(reader.readRange('a', 0, 10, null, stop.signal)).rejects.toBe(reason)
    expect(urls).toHaveLength(1)
  })
})

describe('a range over TLS', () => {
  const trusted = getCACertificates()
  afterEach(() => setDefaultCACertificates(trusted))

  it.each([
    ['is read from a server with a certificate that is trusted', true],
    ['is asked of no other server', false],
  ])('%s', async (_, isTrusted) => {
    const { keyPem, certPem } = selfSigned({})
    const seen: string[] = []
    const tls = createTlsServer({ key: keyPem, cert: certPem }, (request, response) => {
      seen.push(request.url ?? '')
      tenBytes(response)
    }).listen(0, '127.0.0.1')
    await once(tls, 'listening')
    if (isTrusted) setDefaultCACertificates([...trusted, certPem])
    const endpoint = `https://127.0.0.1:${(tls.address() as AddressInfo).port}`
    const overTls = new S3ObjectReader({
      ...{ endpoint, region: 'us-east-1', bucket: 'sealed', forcePathStyle: true },
      ...{ requestTimeoutMs: 5_000, accessKeyId: 'a', secretAccessKey: 'b' },
    })
    try {
      const reading = overTls.readRange('a', 0, 10)
      if (isTrusted) expect((await reading).bytes).toHaveLength(10)
      else await expect(reading).rejects.toMatchObject({ code: 'SEAL_STORE_UNAVAILABLE' })
      expect(seen).toEqual(isTrusted ? ['/sealed/a'] : [])
    } finally {
      await overTls.close()
      tls.closeAllConnections()
      tls.close()
    }
  })
})
