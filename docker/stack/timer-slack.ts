import { importKoffi } from '../../src/crypto/openssl-library.ts'

/** From sys/prctl.h of Linux. */
const PR_SET_TIMERSLACK = 29
/** The kernel's word for "as it was when the thread began". */
const AS_BEFORE = 0

/**
 * Calls `start`, and has every process that it starts meanwhile, and all threads of these, wake from short
 * sleeps up to `slackNs` late: the kernel hands the timer slack of a thread on to what it starts (prctl(2),
 * PR_SET_TIMERSLACK). `start` must not wait for anything. Where the slack cannot be set, `start` is called all the same.
 */
export async function withTimerSlack<T>(slackNs: number, start: () => T): Promise<T> {
  const prctl = await timerSlack()
  prctl(slackNs)
  try {
    return start()
  } finally {
    prctl(AS_BEFORE)
  }
}

async function timerSlack(): Promise<(slackNs: number) => void> {
  if (process.platform !== 'linux') return () => {}
  try {
    const libc = (await importKoffi()).load(null)
    const prctl = libc.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)')
    return (slackNs) => prctl(PR_SET_TIMERSLACK, slackNs, 0, 0, 0)
  } catch {
    return () => {}
  }
}
