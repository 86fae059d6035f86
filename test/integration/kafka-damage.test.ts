import { afterAll, beforeAll, expect, test } from 'vitest'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'

const place = new SealingPlace('kafka-damage')
/** Stands in the second batch of partition 0 alone. */
const MARK = Buffer.from('to be damaged')
let kafka: KafkaFixture
let proxy: TcpProxy
let isDamaging = true

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, 2)
  const broker = place.stack.kafka.brokers[0] as string
  proxy = await TcpProxy.before(broker, { protocol: kafkaProtocol })
  proxy.judge = ({ kind }) => (kind === 'Fetch' && isDamaging ? damaged : 'pass')
})

function damaged(answer: Buffer): Buffer {
  const at = answer.indexOf(MARK)
  if (at >= 0) answer[at] = (answer[at] as number) ^ 0x20
  return answer
}

afterAll(async () => {
  await proxy.cut()
  await kafka.close()
  place.remove()
})

test('a byte that is flipped on the wire stops its partition and is never sealed', async () => {
  const at = (partition: number) => ({ topic: place.topic, partition })
  const sound = [
    ...(await kafka.append(at(0), numberedRecords(20, 'before'))),
    ...(await kafka.append(at(1), numberedRecords(20, 'beside'))),
  ]
  const behind = [
    ...(await kafka.append(at(0), numberedRecords(5, String(MARK)))),
    ...(await kafka.append(at(0), numberedRecords(20, 'behind'), 'lz4')),
  ]
  const config = place.config({ 'kafka.brokers': [proxy.address] })
  const refusing = new EncryptorProcess(config)
  const reached = () =>
    kafka.hasReached(
      place.groupId,
      place.topic,
      new Map([
        [0, 20],
        [1, 20],
      ]),
    )
  await refusing.until('stopped', () => refusing.logged(/stopped/).length > 0)
  await refusing.until('done with the rest', reached)
  const line = JSON.stringify(refusing.logged(/stopped/))
  expect(line).toContain(
    `${place.topic}/0: the record batch at offset 20 is damaged: its CRC-32C is wrong`,
  )
  expect(line).toContain('SEAL_SOURCE_UNREADABLE')
  expect((await refusing.readiness())?.reasons.join()).toContain(`${place.topic}/0 stopped at 20`)
  expect((await refusing.stop()).code).toBe(0)
  await expectSealedOnce(kafka, place, place.topic, sound)

  isDamaging = false
  const sealing = new EncryptorProcess(config)
  const ends = await kafka.ends(place.topic)
  await sealing.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  expect((await sealing.stop()).code).toBe(0)
  await expectSealedOnce(kafka, place, place.topic, [...sound, ...behind])
})
