import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { S3ObjectStore } from '../../../../src/adapters/s3/s3-object-store.ts'

/** The check value of CRC-32, of the very text that every catalogue of checksums gives for it. */
const BODY = Buffer.from('123456789')
const BODY_CRC32 = Buffer.from('cbf43926', 'hex').toString('base64')

let server: Server
let store: S3ObjectStore
let requests: { readonly line: string; readonly headers: IncomingHttpHeaders; body: Buffer }[]

// What a request carries, not what a server makes of it: that is asked of a real one
// (test/contracts/object-store.contract.ts).
beforeEach(async () => {
  requests = []
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url, headers } = request
    requests.push({ line: `${method} ${url}`, headers, body: Buffer.concat(chunks) })
    response.setHeader('ETag', '"tag"').end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  store = new S3ObjectStore({
    ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: 'b' },
    ...{ forcePathStyle: true, accessKeyId: 'a', secretAccessKey: 's', requestTimeoutMs: 5_000 },
  })
})

afterEach(async () => {
  await store.close()
  server.close()
})

describe('what is sent to the object store', () => {
  it('carries its checksum, so that bytes that change on the way are refused there', async () => {
    await store.put('whole', BODY, { name: 'value' })
    await store.put('small.json', BODY, {})
    const receipt = await store.uploadPart('large', 'upload', 1, BODY)
    expect(BODY_CRC32).toBe(Buffer.from(crc32(BODY).toString(16), 'hex').toString('base64'))
    expect(requests.map(({ body }) => body)).toEqual([BODY, BODY, BODY])
    expect(requests.map(({ headers }) => headers['x-amz-checksum-crc32'])).toEqual([
      BODY_CRC32,
      BODY_CRC32,
      BODY_CRC32,
    ])
    expect(receipt.checksum).toBe(BODY_CRC32)
  })

  it('replaces no object but the one that is named', async () => {
    await store.put('whole', BODY, {})
    await store.put('entry.json', BODY, {}, '"tag"')
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual(['*', undefined])
    expect(requests.map(({ headers }) => headers['if-match'])).toEqual([undefined, '"tag"'])
  })
})
