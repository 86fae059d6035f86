import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { AzureKms } from '../../../../src/adapters/kms/azure-kms.ts'
import type { AzureKmsOptions } from '../../../../src/adapters/kms/azure-options.ts'
import type { KmsContext } from '../../../../src/keys/kms.ts'
import { kmsContract } from '../../../contracts/kms.contract.ts'
import { CLIENT, FakeAzure, refusal } from '../../../support/fake-azure.ts'
import type { JsonAnswer } from '../../../support/json-server.ts'

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const VAULT = 'seal.vault.azure.net'
const HSM = 'seal.managedhsm.azure.net'
/** Port 9 is discard: nothing listens there. */
const NOWHERE = 'http://127.0.0.1:9'

const azure = new FakeAzure()
beforeAll(() => azure.start())
afterAll(() => azure.server.stop())

const open = (over: Partial<AzureKmsOptions> = {}, address?: string) =>
  new AzureKms(
    { algorithm: 'RSA-OAEP-256', ...CLIENT, requestTimeoutMs: 5_000, ...over },
    azure.policies(address),
  )

const place = (algorithm: AzureKmsOptions['algorithm'], host: string) => {
  const kekId = azure.createKey(host, 'orders')
  return {
    kms: open({ algorithm }),
    kekId,
    otherKekId: azure.createKey(host, 'payments'),
    fullName: /^https:\/\/seal\.(?:vault|managedhsm)\.azure\.net\/keys\/[a-z]+$/,
    unknownKekId: `https://${host}/keys/nowhere`,
    rotate: async () => azure.rotate(kekId),
    tellsVersion: true,
    disable: async (name: string) => azure.disable(name),
    denied: async () => open({ algorithm, clientSecret: 'another' }),
    away: async () => open({ algorithm }, NOWHERE),
  }
}

kmsContract('Azure Key Vault (RSA-OAEP-256), a fake of its HTTP API', () =>
  place('RSA-OAEP-256', VAULT),
)
kmsContract('Azure Managed HSM (A256GCM), a fake of its HTTP API', () => place('A256GCM', HSM))

describe('Azure Key Vault', () => {
  const kms = open()
  let kekId: string
  let aesKekId: string

  beforeAll(() => {
    kekId = azure.createKey(VAULT, 'mails')
    aesKekId = azure.createKey(HSM, 'mails')
  })
  beforeEach(() => {
    azure.server.faults.length = 0
    azure.server.requests.length = 0
  })

  const failureOf = (call: Promise<unknown>) =>
    call.then(
      () => expect.unreachable('the call succeeded'),
      (error: { code: string; retryable: boolean; message: string; cause: unknown }) => error,
    )
  /** Puts a fault into the answer to the request that bears a token, the one after the challenge. */
  const next = (answer: JsonAnswer) => azure.server.faults.push(asItIs, () => answer)
  const asItIs = (answer: JsonAnswer) => answer
  const operations = () =>
    azure.server.requests.flatMap(({ path, headers }) =>
      headers.authorization === undefined ? [] : [path.replace(/[0-9a-f]{32}/, 'VERSION')],
    )

  it('keeps the key version inside the wrap', async () => {
    const { wrapped, kekVersion } = await kms.generateDataKey(kekId, CONTEXT)
    expect(kekVersion).toMatch(/^[0-9a-f]{32}$/)
    expect(Buffer.from(wrapped.subarray(0, 34)).toString('latin1')).toBe(`\x01\x20${kekVersion}`)
    expect(wrapped).toHaveLength(34 + 256)
  })

  it('wraps at the vault, and unwraps without asking for the key', async () => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    expect(operations()).toEqual(['/keys/mails/', '/keys/mails/VERSION/wrapkey'])
    expect(azure.server.requests).toHaveLength(4)
    azure.server.requests.length = 0
    await kms.unwrap(kekId, wrapped, CONTEXT)
    expect(operations()).toEqual(['/keys/mails/VERSION/unwrapkey'])
  })

  it('sends a vault no DEK before it has a token', async () => {
    await kms.generateDataKey(kekId, CONTEXT)
    const bare = azure.server.requests.filter(({ headers }) => headers.authorization === undefined)
    expect(bare.length).toBeGreaterThan(0)
    for (const { body } of bare) expect(body).not.toHaveProperty('value')
  })

  it('keeps the body of a call that meets another in its challenge', async () => {
    const { wrapped, plaintext } = await kms.generateDataKey(kekId, CONTEXT)
    const overtaken = Promise.withResolvers<void>()
    azure.server.faults.push(async (challenge) => {
      await overtaken.promise
      return challenge
    })
    const reader = open()
    const first = reader.unwrap(kekId, wrapped, CONTEXT)
    await reader.unwrap(kekId, wrapped, CONTEXT)
    overtaken.resolve()
    await expect(first).resolves.toEqual(Uint8Array.from(plaintext))
  })

  it('unwraps under a version that has expired', async () => {
    const name = azure.createKey(VAULT, 'old')
    const { wrapped } = await kms.generateDataKey(name, CONTEXT)
    azure.expire(name)
    await expect(kms.unwrap(name, wrapped, CONTEXT)).resolves.toHaveLength(32)
  })

  it('opens what was wrapped in either way, whichever is configured', async () => {
    const aes = open({ algorithm: 'A256GCM' })
    const byRsa = await kms.generateDataKey(kekId, CONTEXT)
    const byAes = await aes.generateDataKey(aesKekId, CONTEXT)
    await expect(aes.unwrap(kekId, byRsa.wrapped, CONTEXT)).resolves.toEqual(
      Uint8Array.from(byRsa.plaintext),
    )
    await expect(kms.unwrap(aesKekId, byAes.wrapped, CONTEXT)).resolves.toEqual(
      Uint8Array.from(byAes.plaintext),
    )
    const moved = await aes.rewrap(kekId, byRsa.wrapped, aesKekId, CONTEXT)
    await expect(kms.unwrap(aesKekId, moved.wrapped, CONTEXT)).resolves.toEqual(
      Uint8Array.from(byRsa.plaintext),
    )
  })

  it('binds what RSA wraps by the SHA-256 of the context', async () => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    const failure = await failureOf(kms.unwrap(kekId, wrapped, { ...CONTEXT, dek: 'e' }))
    expect(failure).toMatchObject({ code: 'SEAL_KEY_TAMPERED', retryable: false })
    expect(failure.message).toContain('is of another context')
  })

  it('refuses a bare DEK that RSA wrapped, bound to nothing', async () => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    next({ status: 200, body: { value: Buffer.alloc(32).toString('base64url') } })
    const failure = await failureOf(kms.unwrap(kekId, wrapped, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KEY_TAMPERED', retryable: false })
  })

  it('never wraps under a version that is disabled, though the vault would', async () => {
    const name = azure.createKey(VAULT, 'off')
    azure.disable(name)
    const failure = await failureOf(kms.generateDataKey(name, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KEK_DISABLED', retryable: false })
    expect(operations()).toEqual(['/keys/off/'])
  })

  it.each([
    ['throttling', refusal(429, 'Throttled', 'Too many requests')],
    ['an inner failure', refusal(500, 'InternalServerError', 'An error occurred')],
    ['an unavailable vault', refusal(503, 'ServiceUnavailable', 'Busy')],
    ['a page of a proxy', { answer: { status: 404, body: '<html>not here</html>' } }],
    ['a refusal by a proxy', { answer: { status: 403, body: '<html>no</html>' } }],
    ['JSON of something else', { answer: { status: 400, body: { no: 'error' } } }],
    ['a page of a proxy that says yes', { answer: { status: 200, body: '<html>hi</html>' } }],
    ['an empty answer', { answer: { status: 200, body: {} } }],
  ])('may be asked again after %s, and asks once itself', async (_what, { answer }) => {
    next(answer)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    expect(operations()).toEqual(['/keys/mails/'])
    await expect(kms.generateDataKey(kekId, CONTEXT)).resolves.toBeDefined()
  })

  it.each([
    ['SEAL_KMS_DENIED', refusal(403, 'Forbidden', 'Caller is not authorized', 'ForbiddenByRbac')],
    ['SEAL_KMS_DENIED', refusal(403, 'Forbidden', 'Client address', 'ForbiddenByFirewall')],
    ['SEAL_KMS_DENIED', refusal(401, 'Unauthorized', 'AKV10032: Invalid issuer')],
    ['SEAL_KEK_DISABLED', refusal(403, 'Forbidden', 'no text', 'KeyDisabled')],
    ['SEAL_KEK_DISABLED', refusal(403, 'Forbidden', 'is not allowed on a disabled key.')],
    ['SEAL_KEK_DISABLED', refusal(403, 'Forbidden', 'expired key', 'KeyExpired')],
    ['SEAL_KMS_REFUSED', refusal(403, 'Forbidden', 'not permitted', 'KeyOperationForbidden')],
    ['SEAL_KEK_DESTROYED', refusal(404, 'KeyNotFound', 'was not found in this key vault')],
    ['SEAL_KMS_REFUSED', refusal(400, 'BadParameter', 'Key and algorithm are incompatible')],
    ['SEAL_KEY_TAMPERED', refusal(400, 'BadParameter', 'The parameter is incorrect.')],
  ])('gives up with %s on %j', async (code, { answer }) => {
    const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
    azure.server.requests.length = 0
    next(answer)
    // The key itself is looked for when the version is not there.
    if (answer.status === 404) next(answer)
    const failure = await failureOf(kms.unwrap(kekId, wrapped, CONTEXT))
    expect(failure).toMatchObject({ code, retryable: false })
    expect(failure.message).toContain(kekId)
    expect(failure.cause).toBeUndefined()
    const isGone = code === 'SEAL_KEK_DESTROYED'
    expect(operations()).toHaveLength(isGone ? 2 : 1)
  })

  it('says that the algorithm does not fit the key', async () => {
    const failure = await failureOf(open({ algorithm: 'A256GCM' }).generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
    expect(failure.message).toContain('kms.azure.algorithm')
  })

  it('takes no refusal to wrap for a wrap that was altered', async () => {
    azure.server.faults.push(asItIs, asItIs, asItIs)
    azure.server.faults.push(() => refusal(400, 'BadParameter', 'is not valid').answer)
    const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
  })

  it('names the refusal of its secret, and not the secret', async () => {
    const failure = await failureOf(
      open({ clientSecret: 'wrong-canary' }).unwrap(
        kekId,
        (await kms.generateDataKey(kekId, CONTEXT)).wrapped,
        CONTEXT,
      ),
    )
    expect(failure).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable: false })
    expect(failure.message).toContain('AADSTS7000215')
    expect(failure.message).not.toContain('canary')
  })

  it('takes the default Azure credentials where no client is named', async () => {
    const unnamed = { tenantId: undefined, clientId: undefined, clientSecret: undefined }
    vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'EnvironmentCredential')
    const none = await failureOf(open(unnamed).generateDataKey(kekId, CONTEXT))
    expect(none).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable: true })
    vi.stubEnv('AZURE_TENANT_ID', CLIENT.tenantId)
    vi.stubEnv('AZURE_CLIENT_ID', CLIENT.clientId)
    vi.stubEnv('AZURE_CLIENT_SECRET', CLIENT.clientSecret)
    await expect(open(unnamed).generateDataKey(kekId, CONTEXT)).resolves.toBeDefined()
    vi.unstubAllEnvs()
  })

  it('asks for no token on behalf of another service', async () => {
    azure.server.faults.push((answer) => ({
      ...answer,
      headers: {
        'www-authenticate':
          'Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.example"',
      },
    }))
    const failure = await failureOf(open().generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
    expect(azure.server.requests).toHaveLength(1)
  })

  it('waits for Microsoft Entra when it is away', async () => {
    azure.server.faults.push(asItIs, () => ({ status: 503, body: { error: 'busy' } }))
    const failure = await failureOf(open().generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
  })

  it.each([
    'mails',
    `https://${VAULT}/keys/mails/0123`,
    `http://${VAULT}/keys/mails`,
    `https://u@${VAULT}/keys/a`,
  ])('asks nobody about a key that is named %s', async (name) => {
    const failure = await failureOf(kms.generateDataKey(name, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
    expect(azure.server.requests).toHaveLength(0)
  })

  it('gives up a vault that takes connections and says nothing', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const waiting = open({ requestTimeoutMs: 100 }, `http://127.0.0.1:${port}`)
    const failure = await failureOf(waiting.generateDataKey(kekId, CONTEXT))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_UNAVAILABLE', retryable: true })
    silent.close()
  })
})
