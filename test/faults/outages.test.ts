import { afterAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import type { ConfigChanges, SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

// Kafka is not among them: clients follow the address that the broker itself advertises, so they
// leave a proxy behind at once, and the broker is shared with the rest of the test run.

const PARTITIONS = 4
/** How long a service stays away once the process has noticed: before the first message, later. */
const OUTAGES_MS = [1_000, 7_000] as const
/** Shorter than the longer outage: the membership must outlive it. */
const MEMBERSHIP = { 'kafka.sessionTimeoutMs': '6s', 'kafka.heartbeatIntervalMs': '1s' }
const proxies: TcpProxy[] = []
const shared = sealingScene()

afterAll(async () => {
  for (const proxy of proxies) await proxy.cut()
})

interface Service {
  readonly name: string
  /** `host:port` of the real one. */
  readonly target: (place: SealingPlace) => string
  /** Leads the encryptor to the proxy instead. */
  readonly through: (address: string) => ConfigChanges
}

const hostOf = (url: string) => new URL(url).host
const services: Service[] = [
  {
    name: 's3',
    target: ({ stack }) => hostOf(stack.s3.endpoint),
    through: (address) => ({ 's3.endpoint': `http://${address}` }),
  },
  {
    name: 'kms',
    target: ({ stack }) => hostOf(stack.kms.endpoint),
    // A window every hundred milliseconds, so that the road asks for keys all the time.
    through: (address) => ({
      'kms.aws.endpoint': `http://${address}`,
      'window.ageMs': '100ms',
      'segment.ageMs': '100ms',
    }),
  },
  {
    name: 'cassandra',
    target: ({ stack }) => stack.cassandra.contactPoints[0] as string,
    through: (address) => ({ 'cassandra.contactPoints': [address] }),
  },
]

/** Cuts the service off for a while and sees that the process says so, waits, and goes on. */
async function outage(
  encryptor: EncryptorProcess,
  name: string,
  proxy: TcpProxy,
  outageMs: number,
): Promise<void> {
  const waits = () => encryptor.logged(new RegExp(`^waiting for ${name}$`))
  const before = waits().length
  await proxy.cut()
  await encryptor.until(`waiting for ${name}`, async () => {
    const readiness = await encryptor.readiness()
    const isNamed = readiness?.reasons.some((reason) => reason.startsWith(`waiting for ${name}: `))
    return readiness?.httpStatus === 503 && isNamed === true
  })
  expect(waits().length).toBeGreaterThan(before)
  await systemClock.sleep(outageMs)
  expect(encryptor.isRunning).toBe(true)
  await proxy.restore()
  await encryptor.ready()
}

describe.each(services)('an outage of $name', ({ name, target, through }) => {
  test('before the first message and in mid-run is waited out; nothing is lost or doubled', async () => {
    const place = await shared.newPlace(`outage-${name}`, PARTITIONS)
    const proxy = await TcpProxy.before(target(place))
    proxies.push(proxy)
    const encryptor = new EncryptorProcess(
      place.config({ ...MEMBERSHIP, ...through(proxy.address) }),
    )
    await encryptor.ready()

    const messages: Message[] = []
    let isOver = false
    const produce = async () => {
      while (!isOver) {
        const records = numberedRecords(200, `outage ${messages.length}`)
        messages.push(...(await shared.kafka.appendMany(place.topic, PARTITIONS, records, 50)))
        await systemClock.sleep(100)
      }
    }
    const first = outage(encryptor, name, proxy, OUTAGES_MS[0])
    const producing = produce()
    await first
    await encryptor.until(
      'at work',
      async () => (await encryptor.metric('sealstream_published_references_total')) > 0,
    )
    await outage(encryptor, name, proxy, OUTAGES_MS[1])
    isOver = true
    await producing

    const ends = await shared.kafka.ends(place.topic)
    await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect(encryptor.logged(new RegExp(`^${name} answers again$`)).length).toBeGreaterThan(0)
    expect(encryptor.logged(/^partitions assigned$/)).toHaveLength(1)
    expect((await encryptor.stop()).code).toBe(0)
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })
})
