import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { LeakSearch } from '../support/leak-search.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { PIN, SoftHsm, TOKEN } from '../support/softhsm.ts'

const MESSAGES = 300
const PARTITIONS = 2
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
})

afterAll(() => kafka.close())

/** An encryptor at work, and all that it was given to seal. */
class Work {
  readonly place: SealingPlace
  readonly encryptor: EncryptorProcess
  readonly config: string
  readonly messages: Message[] = []

  constructor(place: SealingPlace, env: Readonly<Record<string, string>> = {}) {
    this.place = place
    // A window holds less than one batch, and does not stretch while there is no next key.
    const changes = { 'window.messagesMax': MESSAGES / 3, 'window.outageFactor': 1 }
    this.config = place.config({ ...changes, 'log.level': 'trace' })
    this.encryptor = new EncryptorProcess(this.config, env)
  }

  async append(label: string): Promise<void> {
    const records = numberedRecords(MESSAGES, label)
    this.messages.push(...(await kafka.appendMany(this.place.topic, PARTITIONS, records, 20)))
  }

  async done(): Promise<void> {
    const ends = await kafka.ends(this.place.topic)
    await this.encryptor.until('done', () =>
      kafka.hasReached(this.place.groupId, this.place.topic, ends),
    )
  }
}

/** The key directory: what is kept of every DEK. */
async function dekEntries(place: SealingPlace) {
  const { bucket: Bucket, accessKeyId, secretAccessKey, ...s3 } = place.stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ ...s3, credentials, forcePathStyle: true })
  const Prefix = `${place.prefix}/deks/`
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix }))
  const bodies = Contents.map(async ({ Key }) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    return JSON.parse((await Body?.transformToString()) ?? '')
  })
  const entries: { kekId: string; kekVersion: string }[] = await Promise.all(bodies)
  client.destroy()
  return entries
}

async function expectReadBack(work: Work, env: Readonly<Record<string, string>> = {}) {
  const { place, config, messages } = work
  await expectSealedOnce(kafka, place, place.topic, messages)
  const read = await runCommand(['read', '--config', config, place.topic, '--values'], env)
  expect(read).toMatchObject({ code: 0, stderr: expect.not.stringContaining('SEAL_') })
  expect(read.stdout.trimEnd().split('\n')).toHaveLength(messages.length)
}

describe('an encryptor with a local key file', () => {
  const place = new SealingPlace('local-kek')
  const keyFile = join(place.folder, 'keks.json')
  const rotate = async () => {
    const { code } = await runCommand([
      'keys',
      'local-file',
      keyFile,
      '--name',
      'orders',
      '--rotate',
    ])
    expect(code).toBe(0)
  }
  let work: Work

  beforeAll(async () => {
    await runCommand(['keys', 'local-file', keyFile, '--name', 'orders'])
    place.kms = { provider: 'local', keyFile, allowedKeyIds: ['orders'] }
    await kafka.createTopic(place.topic, PARTITIONS)
    work = new Work(place)
    await work.encryptor.ready()
    await work.append('before')
    await work.done()
    await rotate()
    await work.append('after')
    await work.done()
  })

  afterAll(() => place.remove())

  test('says in its log and to its probes what that is good for', async () => {
    const isWarned = /^kms\.provider: is local, .*laptops and tests only$/
    expect(work.encryptor.logged(isWarned)).toMatchObject([{ level: 'warn' }])
    expect(await work.encryptor.readiness()).toMatchObject({
      status: 'ok',
      warnings: [expect.stringMatching(isWarned)],
    })
    expect((await work.encryptor.stop()).code).toBe(0)
  })

  test('seals under a version that was made while it ran, and all is read back', async () => {
    await expectReadBack(work)
    const entries = await dekEntries(place)
    expect(new Set(entries.map(({ kekId }) => kekId))).toEqual(new Set(['local/orders']))
    expect(new Set(entries.map(({ kekVersion }) => kekVersion))).toEqual(new Set(['1', '2']))
  })

  test('leaves its KEKs in the file alone', () => {
    const { orders } = JSON.parse(readFileSync(keyFile, 'utf8')).keys
    const keks = orders.map(({ key }: { key: string }) => Buffer.from(key, 'base64'))
    const search = new LeakSearch({ ...keks })
    expect(keks).toHaveLength(2)
    expect(search.inFolders(join(place.stack.directory, 'data', 's3'))).toEqual([])
    expect(search.inBytes(Buffer.from(work.encryptor.stderr), 'log')).toEqual([])
  })

  test('ends with one line when others may read the file', async () => {
    chmodSync(keyFile, 0o644)
    const ending = await runCommand(['run', '--config', work.config])
    expect(ending.code).toBe(1)
    expect(ending.stderr).toMatch(
      /^sealstream: others may use .*chmod 600 .*\[SEAL_KMS_REFUSED\]$/m,
    )
  })
})

describe('an encryptor with an HSM', () => {
  const place = new SealingPlace('hsm-kek')
  let hsm: SoftHsm
  let work: Work

  beforeAll(async () => {
    hsm = await SoftHsm.create()
    hsm.makeKey('orders', '01')
    const { module } = hsm
    place.kms = {
      provider: 'pkcs11',
      module,
      tokenLabel: TOKEN,
      pin: PIN,
      allowedKeyIds: ['orders'],
    }
    await kafka.createTopic(place.topic, PARTITIONS)
    work = new Work(place, hsm.env)
    await work.encryptor.ready()
    await work.append('before')
    await work.done()
  })

  afterAll(() => {
    place.remove()
    hsm?.remove()
  })

  test('waits for a token that is away, and says so', async () => {
    const { encryptor } = work
    hsm.pullOut()
    await work.append('meanwhile')
    await encryptor.until('waiting', async () => {
      const reasons = (await encryptor.readiness())?.reasons ?? []
      return reasons.some((reason) => /waiting for kms: .*SEAL_KMS_UNAVAILABLE/.test(reason))
    })
    hsm.putBack()
    await work.done()
  })

  test('seals under a version that was made while it ran, and all is read back', async () => {
    hsm.makeKey('orders', '02')
    await work.append('after')
    await work.done()
    expect((await work.encryptor.stop()).code).toBe(0)
    await expectReadBack(work, hsm.env)
    const entries = await dekEntries(place)
    expect(new Set(entries.map(({ kekId }) => kekId))).toEqual(new Set([`pkcs11/${TOKEN}/orders`]))
    expect(new Set(entries.map(({ kekVersion }) => kekVersion))).toEqual(new Set(['01', '02']))
  })

  test('has its PIN in no line of the log', () => {
    expect(work.encryptor.log.length).toBeGreaterThan(5)
    expect(work.encryptor.stderr).not.toContain(PIN)
  })

  test('ends with one line that names what to mend when the PIN is wrong', async () => {
    const config = place.config({ 'kms.pkcs11.pin': 'wrong-pin' })
    const ending = await runCommand(['run', '--config', config], hsm.env)
    expect(ending.code).toBe(1)
    const line =
      /^sealstream: the token .*CKR_PIN_INCORRECT.*kms\.pkcs11\.pin.*\[SEAL_KMS_DENIED\]$/m
    expect(ending.stderr).toMatch(line)
    expect(ending.stderr).not.toContain('wrong-pin')
  })
})
