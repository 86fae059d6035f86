/** Decides at each effect outside of the process what becomes of it. */
export type AtEffect = (name: string) => void | Promise<void>

/** `service`, every call of which is told before it and after it, as `before room.method`. */
export function toldEffects<T extends object>(service: T, room: string, atEffect: AtEffect): T {
  return new Proxy(service, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        await atEffect(`before ${room}.${String(name)}`)
        const result = await value.apply(target, args)
        await atEffect(`after ${room}.${String(name)}`)
        return result
      }
    },
  })
}
