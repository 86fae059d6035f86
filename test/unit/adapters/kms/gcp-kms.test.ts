import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { GcpKms, type GcpKmsOptions } from '../../../../src/adapters/kms/gcp-kms.ts'
import type { KmsContext } from '../../../../src/keys/kms.ts'
import { kmsContract } from '../../../contracts/kms.contract.ts'
import { FakeGoogleKms, refusal, serviceAccountFile } from '../../../support/fake-google-kms.ts'
import type { JsonAnswer } from '../../../support/json-server.ts'

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const MATERIAL = 'projects/p/locations/europe-west1/keyRings/r/cryptoKeys'

const account = serviceAccountFile()
const google = new FakeGoogleKms(account.publicKey)
let endpoint: string
let folder: string
let credentialsFile: string

beforeAll(async () => {
  endpoint = await google.server.start()
  folder = await mkdtemp(join(tmpdir(), 'sealstream-gcp-'))
  credentialsFile = await written('account.json', account.json)
})
afterAll(async () => {
  await google.server.stop()
  await rm(folder, { recursive: true })
})

async function written(name: string, text: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  return file
}

const open = (over: Partial<GcpKmsOptions> = {}) =>
  GcpKms.open({ endpoint, credentialsFile, requestTimeoutMs: 5_000, ...over })

kmsContract('Google Cloud KMS, a fake of its HTTP API', async () => {
  const kekId = google.createKey('orders')
  return {
    kms: await open(),
    kekId,
    otherKekId: google.createKey('payments'),
    fullName: /^projects\/p\/locations\/europe-west1\/keyRings\/r\/cryptoKeys\/[a-z]+$/,
    unknownKekId: `${MATERIAL}/nowhere`,
    rotate: async () => google.rotate(kekId),
    tellsVersion: true,
    disable: async (name) => google.setState(name, 'DISABLED'),
    denied: async () =>
      open({ credentialsFile: await written('other.json', serviceAccountFile().json) }),
    // Port 9 is discard: nothing listens there.
    away: () => open({ endpoint: 'http://127.0.0.1:9' }),
  }
})

describe('Google Cloud KMS', () => {
  let kms: GcpKms
  let kekId: string

  beforeAll(async () => {
    kms = await open()
    kekId = google.createKey('mails')
  })
  afterAll(() => kms.close())
  beforeEach(() => {
    google.server.faults.length = 0
    google.server.requests.length = 0
  })

  const failureOf = (call: Promise<unknown>) =>
    call.then(
      () => expect.unreachable('the call succeeded'),
      (error: { code: string; retryable: boolean; message: string; cause: unknown }) => error,
    )
  const next = (...answers: JsonAnswer[]) =>
    google.server.faults.push(...answers.map((answer) => () => answer))
  const changed = (change: Record<string, unknown>) =>
    google.server.faults.push((answer) => ({
      ...answer,
      body: { ...(answer.body as object), ...change },
    }))

  it('tells the number of the key version', async () => {
    expect((await kms.generateDataKey(kekId, CONTEXT)).kekVersion).toBe('1')
    google.rotate(kekId)
    expect((await kms.generateDataKey(kekId, CONTEXT)).kekVersion).toBe('2')
  })

  it('sends the canonical context as additional authenticated data', async () => {
    await kms.generateDataKey(kekId, { b: '2', a: '1' })
    const sent = google.server.requests[0]?.body.additionalAuthenticatedData ?? ''
    expect(Buffer.from(sent, 'base64').toString()).toBe('[["a","1"],["b","2"]]')
  })

  it.each([
    ['a damaged plaintext', refusal(400, 'INVALID_ARGUMENT', 'plaintext_crc32c did not match')],
    ['throttling', refusal(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded')],
    ['an inner failure', refusal(500, 'INTERNAL', 'Internal error')],
    ['an unavailable service', refusal(503, 'UNAVAILABLE', 'The service is unavailable')],
    ['a page of a proxy', { answer: { status: 404, body: '<html>not here</html>' } }],
    ['a page of a proxy that says yes', { answer: { status: 200, body: '<html>hi</html>' } }],
    ['JSON of something else', { answer: { status: 400, body: { no: 'error' } } }],
    ['an empty answer', { answer: { status: 200, body: {} } }],
  ])('may be asked again after %s, and asks once itself', async (_what, { answer }) => {
    next(answer)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    expect(google.server.requests).toHaveLength(1)
    await expect(kms.generateDataKey(kekId, CONTEXT)).resolves.toBeDefined()
  })

  it.each([
    ['SEAL_KMS_DENIED', refusal(403, 'PERMISSION_DENIED', 'Permission denied')],
    ['SEAL_KMS_DENIED', refusal(401, 'UNAUTHENTICATED', 'Invalid credentials')],
    ['SEAL_KMS_REFUSED', refusal(400, 'INVALID_ARGUMENT', 'purpose is ASYMMETRIC_SIGN')],
    ['SEAL_KMS_REFUSED', refusal(400, 'FAILED_PRECONDITION', 'it is disabled. Enable it by')],
    ['SEAL_KEK_DESTROYED', refusal(404, 'NOT_FOUND', 'CryptoKey not found.')],
  ])('gives up with %s on %j', async (code, { answer }) => {
    next(answer)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code, retryable: false })
    expect(failure.message).toContain(kekId)
    expect(failure.cause).toBeUndefined()
    expect(google.server.requests).toHaveLength(1)
  })

  it('says that the API is switched off in the project', async () => {
    const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED' }
    next(refusal(403, 'PERMISSION_DENIED', 'Cloud KMS API has not been used', [info]).answer)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable: false })
    expect(failure.message).toContain('enable the Cloud KMS API')
  })

  it.each([
    ['SEAL_KEK_DISABLED', 'DISABLED'],
    ['SEAL_KEK_DISABLED', 'DESTROY_SCHEDULED'],
    ['SEAL_KEK_DESTROYED', 'DESTROYED'],
  ] as const)('tells %s of a version that is %s', async (code, state) => {
    const name = google.createKey(`state-${state.toLowerCase().replace('_', '-')}`)
    const { wrapped } = await kms.generateDataKey(name, CONTEXT)
    google.setState(name, state)
    const expected = { code, retryable: false }
    expect(await failureOf(kms.unwrap(name, wrapped, CONTEXT))).toMatchObject(expected)
    expect(await failureOf(kms.generateDataKey(name, CONTEXT))).toMatchObject(expected)
  })

  it.each([
    ['the ciphertext', { ciphertext: Buffer.from('other bytes').toString('base64') }],
    ['its checksum', { ciphertextCrc32c: '7' }],
    ['no checksum', { ciphertextCrc32c: undefined }],
    ['an unverified plaintext', { verifiedPlaintextCrc32c: false }],
    ['an unverified context', { verifiedAdditionalAuthenticatedDataCrc32c: false }],
    ['a name without a version', { name: 'projects/p' }],
  ])('takes no wrap from an answer with a fault in %s', async (_what, change) => {
    changed(change)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    expect(failure.message).toContain('damaged on the way')
  })

  it.each([
    ['the plaintext', { plaintext: Buffer.alloc(32, 7).toString('base64') }],
    ['its checksum', { plaintextCrc32c: '7' }],
    ['no checksum', { plaintextCrc32c: undefined }],
  ])('takes no key from an answer with a fault in %s', async (_what, change) => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    changed(change)
    const failure = await failureOf(kms.unwrap(kekId, wrapped, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
  })

  it('refuses a wrapped key that unwraps to something else than a data key', async () => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    changed({ plaintext: 'AAAA', plaintextCrc32c: String(crc32c(Buffer.alloc(3))) })
    const failure = await failureOf(kms.unwrap(kekId, wrapped, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KEY_TAMPERED', retryable: false })
  })

  it.each(['mails', `${MATERIAL}/mails/cryptoKeyVersions/1`, 'projects/p/../x'])(
    'asks nobody about a key that is named %s',
    async (name) => {
      const failure = await failureOf(kms.generateDataKey(name, CONTEXT))
      expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
      expect(google.server.requests).toHaveLength(0)
    },
  )
})

describe('credentials of Google Cloud KMS', () => {
  it.each([
    ['is not there', undefined, 'ENOENT'],
    ['is not JSON', '{"private_key": "secret"', 'not JSON'],
    ['is of another kind', '{"type": "authorized_user"}', 'holds no key of a service account'],
    ['lacks its key', '{"type": "service_account", "client_email": "a"}', 'holds no key'],
  ])('are refused when the file %s', async (name, text, reason) => {
    const file = text === undefined ? join(folder, 'none') : await written(`${name}.json`, text)
    const failure = await open({ credentialsFile: file }).catch((error) => error)
    expect(failure).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable: false })
    expect(failure.message).toContain(file)
    expect(failure.message).toContain(reason)
    expect(failure.message).not.toContain('secret')
  })

  it('are the application default ones where no file is named', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', credentialsFile)
    const kms = await open({ credentialsFile: undefined })
    vi.unstubAllEnvs()
    await expect(kms.generateDataKey(google.createKey('adc'), CONTEXT)).resolves.toBeDefined()
    await kms.close()
  })

  it('may come later where there are none yet', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'none'))
    const failure = await open({ credentialsFile: undefined }).catch((error) => error)
    vi.unstubAllEnvs()
    expect(failure).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable: true })
    expect(failure.cause).toBeUndefined()
  })
})

describe('the debug log of the client', () => {
  it('holds no key bytes', async () => {
    const script = join(import.meta.dirname, 'traced-google-calls.ts')
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], {
      env: { ...process.env, GOOGLE_SDK_NODE_LOGGING: 'all' },
    })
    const dek = Buffer.from(stdout, 'hex')
    expect(dek).toHaveLength(32)
    // That of close(): the log is on.
    expect(stderr).toContain('kms')
    for (const bytes of [dek.toString('base64'), dek.toString('hex'), [...dek].join(',')]) {
      expect(stderr).not.toContain(bytes)
    }
  })
})

describe('a Google Cloud KMS that takes connections and says nothing', () => {
  it('is given up after the time for one request', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const kms = await open({ endpoint: `http://127.0.0.1:${port}`, requestTimeoutMs: 100 })
    const failure = await kms.generateDataKey(`${MATERIAL}/a`, CONTEXT).catch((error) => error)
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    await kms.close()
    silent.close()
  })
})
