import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { flightsLoad } from '../../../examples/demo/flights.ts'
import { type DemoMessage, type Load, plaintextBytes } from '../../../examples/demo/load.ts'
import { mailsLoad, sentAtMs } from '../../../examples/demo/mails.ts'

async function all(load: Load): Promise<DemoMessage[]> {
  const messages: DemoMessage[] = []
  for await (const message of load.read()) messages.push(message)
  return messages
}

describe('the mails', () => {
  test('are 6,046 raw mails with distinct keys, as many as the load says', async () => {
    const load = mailsLoad()
    const mails = await all(load)
    expect(load.messages).toBe(6_046)
    expect(mails).toHaveLength(6_046)
    expect(new Set(mails.map(({ key }) => String(key))).size).toBe(6_046)
    expect(mails.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBe(32_506_017)
  })

  test('carry the very bytes whose MD5 the corpus gives, in all but its one wrong name', async () => {
    const wrong = (await all(mailsLoad())).filter(({ value, headers }) => {
      const md5 = createHash('md5')
        .update(value ?? '')
        .digest('hex')
      return md5 !== String(headers.find(([name]) => name === 'md5')?.[1])
    })
    expect(wrong.map(({ key }) => String(key))).toEqual(['hard-ham-1/00230'])
  })

  test.each([
    ['Subject: a\nDate: Thu, 22 Aug 2002 18:26:25 +0700\n\n', Date.UTC(2002, 7, 22, 11, 26, 25)],
    ['Date: Thu, 01 Jan 1970 00:00:00 +0000\n', null],
    ['Date: Mon, 05 Jun 2028 10:00:00 +0000\n', null],
    ['Date: whenever\n', null],
    ['Subject: no date\n\n', null],
  ])('take a sane date from %j', (mail, expected) => {
    expect(sentAtMs(Buffer.from(mail))).toBe(expected)
  })
})

test('the flights are 200,000 JSON objects that together are the whole file', async () => {
  const load = flightsLoad()
  const flights = await all(load)
  expect(load.messages).toBe(200_000)
  expect(flights).toHaveLength(200_000)
  expect(String(flights[0]?.value)).toBe('{"delay":0,"distance":1452,"time":0.0}')
  const valueBytes = flights.reduce((sum, message) => sum + plaintextBytes(message), 0)
  // Between the objects stand 199,999 commas, around them one pair of brackets.
  expect(valueBytes).toBe(9_863_892 - 199_999 - 2)
  const isFlight = ({ value }: DemoMessage) => typeof JSON.parse(String(value)).delay === 'number'
  expect(flights.every(isFlight)).toBe(true)
})
