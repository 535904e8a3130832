/**
 * Calls f once for any number of asks until the next frame, so that a thousand
 * events a second cost sixty updates. A window that is hidden gets no frames, hence
 * the timer.
 */
export function perFrame(f: () => void): { ask(): void; now(): void } {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const now = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    timer = undefined;
    f();
  };
  return {
    ask() {
      if (frame !== 0) return;
      frame = requestAnimationFrame(now);
      timer = setTimeout(now, 250);
    },
    now,
  };
}
