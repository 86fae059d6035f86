import { createHash, createHmac } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { messageOf, SealError } from '../../errors.ts'
import type { NoticeBody, NoticeHook } from '../../response/notices.ts'

/** A webhook and the secret that signs what it gets. */
export interface WebhookOptions extends Pick<NoticeHook, 'notices' | 'isForDrills'> {
  readonly url: string
  readonly secret: string
}

/** Carries `sha256=` and the HMAC-SHA256 in hex of `<time>.<body>`. */
export const SIGNATURE_HEADER = 'x-sealstream-signature'

/** Carries the time of the sending in ms since 1970, so that nobody replays an old one. */
export const TIME_HEADER = 'x-sealstream-time'

const TRIES_MAX = 3
const TIMEOUT_MS = 5_000
const PAUSE_MS = 500
const NAME_BYTES = 4

/** Tells a webhook. It is named by its host and a hash: the address itself may be a secret. */
export function webhook(options: WebhookOptions, clock: Clock): NoticeHook {
  const { url, secret, notices, isForDrills } = options
  const mark = createHash('sha256')
    .update(url)
    .digest('hex')
    .slice(0, 2 * NAME_BYTES)
  return {
    name: `${new URL(url).host}#${mark}`,
    ...{ notices, isForDrills },
    async send(body) {
      let reason = ''
      for (let tries = 1; tries <= TRIES_MAX; tries++) {
        const failure = await post(url, secret, body, clock.nowMs())
        if (failure === null) return
        reason = failure
        if (tries < TRIES_MAX) await clock.sleep(PAUSE_MS * tries)
      }
      throw new SealError('SEAL_NOTICE_FAILED', `${reason}, ${TRIES_MAX} times`)
    },
  }
}

/** The signature of a body that is sent at a time. */
export function signatureOf(secret: string, timeMs: number, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timeMs}.${body}`).digest('hex')}`
}

/** null when it was taken, else why not; never the address. */
async function post(
  url: string,
  secret: string,
  notice: NoticeBody,
  nowMs: number,
): Promise<string | null> {
  const body = JSON.stringify(notice)
  const headers = {
    'content-type': 'application/json',
    [TIME_HEADER]: String(nowMs),
    [SIGNATURE_HEADER]: signatureOf(secret, nowMs, body),
  }
  try {
    // Whoever redirects would get the body elsewhere.
    const settings = { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) } as const
    const response = await fetch(url, { method: 'POST', headers, body, ...settings })
    await response.body?.cancel()
    return response.ok ? null : `it answered ${response.status}`
  } catch (error) {
    const { name } = error as Error
    if (name === 'TimeoutError') return `it did not answer within ${TIMEOUT_MS / 1000} s`
    const { code } = ((error as Error).cause ?? {}) as { code?: unknown }
    return `it cannot be reached (${typeof code === 'string' ? code : messageOf(error)})`
  }
}
