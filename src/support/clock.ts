/** Milliseconds from any fixed moment. Only differences mean something. */
export type Clock = () => number

/**
 * The clock for durations. The wall clock (Date.now) leaps when the machine's time is set: an outage of a second would
 * then last an hour, or never end. Date.now is for moments that people or other machines read.
 */
export const monotonicMs: Clock = () => performance.now()
