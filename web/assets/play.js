// Plays the list that the page's video names.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const video = document.getElementById("player");
  const complain = (text) => {
    const place = document.getElementById("player-problem");
    place.textContent = text;
    place.hidden = false;
  };
  if (!Hls.isSupported()) {
    video.src = video.dataset.list; // Safari plays lists itself
    return;
  }
  const player = new Hls({ enableWorker: false }); // a worker would be a script of its own making
  player.on(Hls.Events.ERROR, (_, what) => { if (what.fatal) complain("It can't be played: " + what.details); });
  player.loadSource(video.dataset.list);
  player.attachMedia(video);
});
