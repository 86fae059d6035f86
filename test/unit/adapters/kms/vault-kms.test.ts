import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { VaultKmsOptions } from '../../../../src/adapters/kms/vault-client.ts'
import { VaultKms } from '../../../../src/adapters/kms/vault-kms.ts'
import { systemClock } from '../../../../src/clock.ts'
import type { KmsContext } from '../../../../src/keys/kms.ts'
import { canonicalContext } from '../../../../src/keys/kms-context.ts'
import { kmsContract } from '../../../contracts/kms.contract.ts'
import { FakeVault } from '../../../support/fake-vault.ts'
import type { JsonAnswer } from '../../../support/json-server.ts'

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const CONTEXT_TEXT = canonicalContext(CONTEXT).toString('base64')

const vault = new FakeVault()
let address: string

beforeAll(async () => {
  address = await vault.server.start()
})
afterAll(() => vault.server.stop())

const open = (over: Partial<VaultKmsOptions> = {}) =>
  new VaultKms({ address, mount: 'transit', token: 'token', requestTimeoutMs: 5_000, ...over })

kmsContract('Vault Transit, a fake of its HTTP API', () => {
  vault.createKey('transit/orders')
  vault.createKey('transit/payments')
  return {
    kms: open(),
    kekId: 'orders',
    otherKekId: 'payments',
    fullName: /^transit\/[a-z]+$/,
    unknownKekId: 'nowhere',
    rotate: async () => void vault.keyOf('transit/orders').versions.push(Buffer.alloc(32, 7)),
    tellsVersion: true,
    // OpenBao alone has this state, see the tests below for Vault's own.
    disable: async (name) => {
      vault.keyOf(`transit/${name}`).softDeleted = true
    },
    denied: async () => open({ token: 'other' }),
    // Port 9 is discard: nothing listens there.
    away: async () => open({ address: 'http://127.0.0.1:9' }),
  }
})

describe('Vault Transit', () => {
  let kms: VaultKms
  const mails = () => vault.keyOf('transit/mails')

  afterEach(() => kms.close())
  beforeEach(() => {
    vault.server.faults.length = 0
    vault.server.requests.length = 0
    vault.createKey('transit/mails')
    kms = open()
  })

  const failureOf = (call: Promise<unknown>) =>
    call.then(
      () => expect.unreachable('the call succeeded'),
      (error: { code: string; retryable: boolean; message: string; cause: unknown }) => error,
    )
  const asked = () => vault.server.requests.map(({ method, path }) => `${method} ${path}`)
  /** Answers the requests to come; the read of the key goes through before. */
  const next = (...answers: JsonAnswer[]) =>
    vault.server.faults.push((answer) => answer, ...answers.map((answer) => () => answer))

  it('reads a key once and binds the context by derivation, never by associated data', async () => {
    const made = await kms.generateDataKey('mails', CONTEXT)
    await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
    expect(asked()).toEqual([
      'GET /v1/transit/keys/mails',
      'POST /v1/transit/datakey/plaintext/mails',
      'POST /v1/transit/decrypt/mails',
    ])
    const [, datakey, decrypt] = vault.server.requests
    const ciphertext = Buffer.from(made.wrapped).toString()
    expect(datakey?.body).toEqual({ context: CONTEXT_TEXT, bits: 256 })
    expect(decrypt?.body).toEqual({ context: CONTEXT_TEXT, ciphertext })
    expect(ciphertext).toMatch(/^vault:v1:/)
    expect(made.kekVersion).toBe('1')
  })

  it('sends token, namespace and the mark of a request, and names keys of other mounts', async () => {
    vault.createKey('team/transit/mails')
    const other = open({ namespace: 'team-a', mount: 'team/transit' })
    const made = await other.generateDataKey('mails', CONTEXT)
    expect(made.kekId).toBe('team/transit/mails')
    await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
    expect(asked().at(-1)).toBe('POST /v1/team/transit/decrypt/mails')
    expect(vault.server.requests[0]?.headers).toMatchObject({
      'x-vault-token': 'token',
      'x-vault-namespace': 'team-a',
      'x-vault-request': 'true',
    })
    expect(vault.server.requests.at(-1)?.headers).not.toHaveProperty('x-vault-namespace')
    await other.close()
  })

  it.each(['a/../mails', '../mails', '/mails', 'mails/', '.mails', 'ma ils', 'transit//mails'])(
    'asks for nothing under a name that no key can have: %s',
    async (kekId) => {
      const failure = await failureOf(kms.generateDataKey(kekId, CONTEXT))
      expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
      expect(asked()).toEqual([])
    },
  )

  it('rewraps within a key by rewrap, so that the DEK stays in Vault', async () => {
    const made = await kms.generateDataKey('mails', CONTEXT)
    mails().versions.push(Buffer.alloc(32, 7))
    vault.server.requests.length = 0
    const rewrapped = await kms.rewrap('mails', made.wrapped, 'transit/mails', CONTEXT)
    expect(rewrapped.kekVersion).toBe('2')
    expect(asked()).toEqual(['POST /v1/transit/rewrap/mails'])
  })

  it('rewraps to another key by way of decrypt and encrypt, and reads that key first', async () => {
    vault.createKey('transit/archive')
    const made = await kms.generateDataKey('mails', CONTEXT)
    await kms.generateDataKey('archive', CONTEXT)
    vault.server.requests.length = 0
    await kms.rewrap('mails', made.wrapped, 'archive', CONTEXT)
    expect(asked()).toEqual([
      'GET /v1/transit/keys/archive',
      'POST /v1/transit/decrypt/mails',
      'POST /v1/transit/encrypt/archive',
    ])
  })

  it('never makes a key, though encrypt would', async () => {
    vault.createKey('transit/gone')
    await kms.generateDataKey('gone', CONTEXT)
    const made = await kms.generateDataKey('mails', CONTEXT)
    vault.keys.delete('transit/gone')
    const failure = await failureOf(kms.rewrap('mails', made.wrapped, 'gone', CONTEXT))
    expect(failure.code).toBe('SEAL_KEK_DESTROYED')
    expect(vault.keys.has('transit/gone')).toBe(false)
  })

  it.each([
    [{ derived: false }, 'is not derived'],
    [{ type: 'aes128-gcm96' }, 'is of type aes128-gcm96'],
    [{ type: 'ed25519' }, 'is of type ed25519'],
  ])('refuses a key that binds no context or wraps too weakly: %j', async (over, why) => {
    vault.createKey('transit/plain', over)
    const { wrapped } = await kms.generateDataKey('mails', CONTEXT)
    const calls = [
      () => kms.generateDataKey('plain', CONTEXT),
      () => kms.unwrap('plain', wrapped, CONTEXT),
      () => kms.rewrap('mails', wrapped, 'plain', CONTEXT),
      () => kms.rewrap('plain', wrapped, 'plain', CONTEXT),
    ]
    for (const call of calls) {
      const failure = await failureOf(call())
      expect(failure).toMatchObject({ code: 'SEAL_KMS_REFUSED', retryable: false })
      expect(failure.message).toContain(`transit/plain ${why}`)
      expect(failure.message).toContain('vault write transit/keys/NAME derived=true')
    }
  })

  it('reads a key again after five minutes, in case it was made again without derivation', async () => {
    const spy = vi.spyOn(systemClock, 'elapsedMs')
    try {
      spy.mockReturnValue(1_000)
      await kms.generateDataKey('mails', CONTEXT)
      mails().derived = false
      spy.mockReturnValue(300_999)
      await kms.generateDataKey('mails', CONTEXT)
      spy.mockReturnValue(301_000)
      const failure = await failureOf(kms.generateDataKey('mails', CONTEXT))
      expect(failure.code).toBe('SEAL_KMS_REFUSED')
    } finally {
      spy.mockRestore()
    }
  })

  it('reads a key again once it was not there', async () => {
    await kms.generateDataKey('mails', CONTEXT)
    const key = mails()
    vault.keys.delete('transit/mails')
    expect((await failureOf(kms.generateDataKey('mails', CONTEXT))).code).toBe('SEAL_KEK_DESTROYED')
    vault.keys.set('transit/mails', { ...key, derived: false })
    expect((await failureOf(kms.generateDataKey('mails', CONTEXT))).code).toBe('SEAL_KMS_REFUSED')
  })

  describe('tells a version that', () => {
    it('is below min_decryption_version, and one that was trimmed away', async () => {
      const { wrapped } = await kms.generateDataKey('mails', CONTEXT)
      mails().versions.push(Buffer.alloc(32, 7))
      mails().minDecryptionVersion = 2
      for (const call of [
        () => kms.unwrap('mails', wrapped, CONTEXT),
        () => kms.rewrap('mails', wrapped, 'mails', CONTEXT),
      ]) {
        mails().minAvailableVersion = 0
        const failure = await failureOf(call())
        expect(failure).toMatchObject({ code: 'SEAL_KEK_DISABLED', retryable: false })
        expect(failure.message).toContain('min_decryption_version')
        mails().minAvailableVersion = 2
        expect((await failureOf(call())).code).toBe('SEAL_KEK_DESTROYED')
      }
    })

    it('the key does not have, as after a restore of an old backup', async () => {
      mails().versions.push(Buffer.alloc(32, 7))
      const { wrapped } = await kms.generateDataKey('mails', CONTEXT)
      mails().versions.pop()
      const failure = await failureOf(kms.unwrap('mails', wrapped, CONTEXT))
      expect(failure).toMatchObject({ code: 'SEAL_KEK_DESTROYED', retryable: false })
    })
  })

  it.each<[string, JsonAnswer, string, boolean]>([
    [
      'sealed',
      { status: 503, body: { errors: ['Vault is sealed'] } },
      'SEAL_KMS_UNAVAILABLE',
      true,
    ],
    ['a quota', { status: 429, body: { errors: ['quota'] } }, 'SEAL_KMS_UNAVAILABLE', true],
    ['a lagging replica', { status: 412, body: { errors: [] } }, 'SEAL_KMS_UNAVAILABLE', true],
    ['a fault', { status: 500, body: { errors: ['internal'] } }, 'SEAL_KMS_UNAVAILABLE', true],
    ['a page', { status: 200, body: '<html></html>' }, 'SEAL_KMS_UNAVAILABLE', true],
    ['a list', { status: 200, body: [] }, 'SEAL_KMS_UNAVAILABLE', true],
    ['no data', { status: 200, body: {} }, 'SEAL_KMS_UNAVAILABLE', true],
    ['no key', { status: 200, body: { data: {} } }, 'SEAL_KMS_UNAVAILABLE', true],
    ['a proxy', { status: 403, body: 'forbidden' }, 'SEAL_KMS_UNAVAILABLE', true],
    ['too much', { status: 200, body: ' '.repeat(2 ** 21) }, 'SEAL_KMS_UNAVAILABLE', true],
    ['no right', { status: 403, body: { errors: ['denied'] } }, 'SEAL_KMS_DENIED', false],
    ['no token', { status: 401, body: { errors: ['denied'] } }, 'SEAL_KMS_DENIED', false],
    ['other', { status: 400, body: { errors: ['a reason'] } }, 'SEAL_KMS_REFUSED', false],
    ['no method', { status: 405, body: { errors: [] } }, 'SEAL_KMS_REFUSED', false],
  ])('tells %s', async (_what, answer, code, retryable) => {
    next(answer)
    const failure = await failureOf(kms.generateDataKey('mails', CONTEXT))
    expect(failure).toMatchObject({ code, retryable })
    expect(failure.cause).toBeUndefined()
    expect(failure.message).not.toMatch(/\n/)
  })

  it('names the right that is missing, and the mount that is not there', async () => {
    const denied = { status: 403, body: { errors: ['permission denied'] } }
    vault.server.faults.push(() => denied)
    const reading = await failureOf(kms.generateDataKey('mails', CONTEXT))
    expect(reading.message).toContain('read transit/keys/mails')
    next(denied)
    const making = await failureOf(kms.generateDataKey('mails', CONTEXT))
    expect(making.message).toContain('update transit/datakey/plaintext/mails')
    const elsewhere = await failureOf(kms.generateDataKey('nowhere/mails', CONTEXT))
    expect(elsewhere.code).toBe('SEAL_KEK_DESTROYED')
    expect(elsewhere.message).toContain('no Transit engine is mounted at nowhere')
  })

  it('passes on what Vault says, without whatever could be a key or a token', async () => {
    const key = Buffer.alloc(32, 0xab).toString('base64')
    next({ status: 400, body: { errors: [`bad input ${key} of hvs.CAESIJ0123456789abcdefgh`] } })
    const { message } = await failureOf(kms.generateDataKey('mails', CONTEXT))
    expect(message).toContain('(bad input … of …)')
  })

  it('does not ask about a wrapped key that Vault cannot have made', async () => {
    for (const text of ['vault:v0:AAAA', 'vault:v1:', 'vault:v1:A A', 'other:v1:AAAA', '']) {
      const failure = await failureOf(kms.unwrap('mails', Buffer.from(text), CONTEXT))
      expect(failure).toMatchObject({ code: 'SEAL_KEY_TAMPERED', retryable: false })
    }
    expect(asked()).toEqual([])
  })
})
