import { randomBytes } from 'node:crypto'
import { type Agent, createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AwsKms } from '../../../../src/adapters/kms/aws-kms.ts'
import { catchPlaintext } from '../../../../src/adapters/kms/aws-plaintext.ts'
import { wipingAgents } from '../../../../src/adapters/kms/wiping-agents.ts'

const KEK_ID = 'arn:aws:kms:us-east-1:111122223333:key/5ea15eed-0000-4000-8000-00000000000a'
const CONTEXT = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const WRAPPED = Buffer.from('wrapped key')
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }

let server: Server
let endpoint: string
let key: Buffer
/** What the service answers, piece by piece. */
let pieces: readonly string[]
let status: number
let kms: AwsKms

beforeEach(async () => {
  key = randomBytes(32)
  status = 200
  server = createServer(async (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
    for (const piece of pieces) {
      response.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    response.end()
  })
  server.on('connection', (socket: Socket) => socket.setNoDelay(true))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  kms = new AwsKms({ ...CREDENTIALS, endpoint, region: 'us-east-1', requestTimeoutMs: 5_000 })
})

afterEach(async () => {
  await kms.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** An answer as KMS gives it, with `plaintext` as it stands in the JSON. */
function answerWith(plaintext: string): string {
  const wrapped = WRAPPED.toString('base64')
  return `{"CiphertextBlob":"${wrapped}","KeyId":"${KEK_ID}","KeyMaterialId":"m1",${plaintext}}`
}

describe('a key in an answer of AWS KMS', () => {
  const forms: [what: string, render: (base64: string) => string][] = [
    ['plain', (text) => `"Plaintext":"${text}"`],
    ['with blanks', (text) => `"Plaintext" :\n\t "${text}" `],
    ['with escaped slashes', (text) => `"Plaintext":"${text.replaceAll('/', '\\/')}"`],
    ['without padding', (text) => `"Plaintext":"${text.replaceAll('=', '')}"`],
  ]

  it.each(forms)('comes out as it is, %s', async (_what, render) => {
    for (let i = 0; i < 20; i++) {
      key = randomBytes(32)
      pieces = [answerWith(render(key.toString('base64')))]
      const made = await kms.generateDataKey(KEK_ID, CONTEXT)
      expect(Buffer.from(made.plaintext)).toEqual(key)
      expect(Buffer.from(made.wrapped)).toEqual(WRAPPED)
      expect(made).toMatchObject({ kekId: KEK_ID, kekVersion: 'm1' })
      expect(Buffer.from(await kms.unwrap(KEK_ID, WRAPPED, CONTEXT))).toEqual(key)
    }
  })

  it('comes out as it is when it arrives in pieces', async () => {
    pieces = [...answerWith(`"Plaintext":"${key.toString('base64')}"`)]
    expect(Buffer.from(await kms.unwrap(KEK_ID, WRAPPED, CONTEXT))).toEqual(key)
  })

  it('lies in memory that the collector does not move', async () => {
    pieces = [answerWith(`"Plaintext":"${key.toString('base64')}"`)]
    const { plaintext } = await kms.generateDataKey(KEK_ID, CONTEXT)
    expect(plaintext.buffer.byteLength).toBeLessThan(64)
  })

  it.each([
    ['no key', '"Other":"x"'],
    ['null', '"Plaintext":null'],
    ['a number', '"Plaintext":7'],
    ['no base64', '"Plaintext":"??????"'],
    ['an empty text', '"Plaintext":""'],
  ])('is missed when there is %s', async (_what, plaintext) => {
    pieces = [answerWith(plaintext)]
    const failure = { code: 'SEAL_KMS_UNAVAILABLE', retryable: true }
    await expect(kms.generateDataKey(KEK_ID, CONTEXT)).rejects.toMatchObject(failure)
    await expect(kms.unwrap(KEK_ID, WRAPPED, CONTEXT)).rejects.toMatchObject(failure)
  })

  it('leaves refusals as they are', async () => {
    status = 400
    pieces = ['{"__type":"DisabledException","message":"off"}']
    await expect(kms.unwrap(KEK_ID, WRAPPED, CONTEXT)).rejects.toMatchObject({
      code: 'SEAL_KEK_DISABLED',
    })
  })

  it('is hidden from the SDK, which gets none', async () => {
    pieces = [answerWith(`"Plaintext":"${key.toString('base64')}"`)]
    const client = new KMSClient({ endpoint, region: 'us-east-1', credentials: CREDENTIALS })
    const command = new DecryptCommand({ KeyId: KEK_ID, CiphertextBlob: WRAPPED })
    const plaintext = catchPlaintext(command)
    const answer = await client.send(command)
    client.destroy()
    expect(answer.Plaintext ?? null).toBeNull()
    expect(answer.KeyId).toBe(KEK_ID)
    expect(Buffer.from(plaintext() ?? [])).toEqual(key)
  })
})

describe('what the socket has read of it', () => {
  it('is zeroed', async () => {
    const { httpAgent } = wipingAgents()
    const read: Buffer[] = []
    const create = httpAgent.createConnection.bind(httpAgent)
    httpAgent.createConnection = (...asked) => {
      const socket = create(...asked)
      socket?.on('data', (bytes: Buffer) => read.push(bytes))
      return socket
    }
    pieces = ['one', 'two']
    const response = await fetchBy(httpAgent)
    expect(response).toBe('onetwo')
    expect(read.length).toBeGreaterThan(0)
    expect(read.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
    httpAgent.destroy()
  })
})

async function fetchBy(agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  get(endpoint, { agent }, resolve).on('error', reject)
  return Buffer.concat(await (await promise).toArray()).toString()
}
