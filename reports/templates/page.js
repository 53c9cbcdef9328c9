"use strict";
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let up = target; up; up = up.parentElement)
    if (up.tagName === "DETAILS") up.open = true;
  target.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", reveal);
addEventListener("DOMContentLoaded", reveal);
