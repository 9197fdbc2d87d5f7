// SPDX-License-Identifier: MIT
export function Logo({ size = 18 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 18 18" aria-hidden="true" className="shrink-0">
      <circle cx="9" cy="9" r="7.5" fill="none" stroke="var(--accent)" strokeWidth="1.5" />
      <path d="M9 1.5a7.5 7.5 0 0 1 0 15z" fill="var(--accent)" />
      <path d="M4.5 9h2.2l1.2-3.2L9 12" fill="none" stroke="var(--accent)" strokeWidth="1.2" strokeLinejoin="round" />
    </svg>
  );
}
