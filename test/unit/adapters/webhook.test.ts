import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { webhook } from '../../../src/adapters/http/webhook.ts'
import { webhookOf } from '../../../src/config/incident-section.ts'
import type { NoticeBody } from '../../../src/response/notices.ts'
import { type HookServer, startHookServer } from '../../support/hook-server.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const SECRET = 'a secret'
const body: NoticeBody = {
  ...{ v: 1, notice: 'declared', kind: 'incident', incidentId: 'i', sequence: 1 },
  ...{ at: '2026-01-02T00:00:00.000Z', actor: 'a@b', kek: 'old', reason: 'leaked', details: {} },
}
let server: HookServer
let clock: ManualClock

beforeEach(async () => {
  clock = new ManualClock()
  server = await startHookServer(SECRET)
})
afterEach(() => server.close())

const hook = (secret = SECRET, url = server.url) => webhook({ ...webhookOf(url), secret }, clock)

describe('a webhook', () => {
  it('gets the body with a signature by the secret', async () => {
    await hook().send(body)
    expect([server.received, server.badSignatures]).toEqual([[body], 0])
    await hook('another').send(body)
    expect(server.badSignatures).toBe(1)
  })

  it.each([500, 404, 302])(
    'that answers %i is tried three times, and then fails',
    async (status) => {
      server.answer(status)
      const sent = hook().send(body)
      await expect(sent).rejects.toMatchObject({ code: 'SEAL_NOTICE_FAILED' })
      await expect(sent).rejects.toThrow(/3 times$/)
      expect([server.received, clock.slept]).toEqual([[], [500, 1_000]])
    },
  )

  it('that is not there fails, and neither name nor failure tells its address', async () => {
    const one = hook(SECRET, 'http://127.0.0.1:1/path?token=secret')
    expect(one.name).toMatch(/^127\.0\.0\.1:1#[0-9a-f]{8}$/)
    await expect(one.send(body)).rejects.toThrow(/^it cannot be reached/)
    await expect(one.send(body)).rejects.not.toThrow(/token|path/)
  })
})
