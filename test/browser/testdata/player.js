// play has one of three players play an address, and tells what it saw.
//
// A player is {rungs(), choose(n), chosen()}: the rungs that it knows, lowest first, the one to play,
// the one that is played.
async function play(kind, address) {
  const video = document.getElementById("video");
  const report = {duration: 0, steps: [], stuck: "", errors: [], stalls: 0, rungs: [], first: 0, buffered: [], frames: 0};
  const stepWithin = 40000; // ms, of a busy machine
  const fast = 4; // times the speed

  // until waits for an event after which something is so.
  const until = (step, events, so) => new Promise((resolve, reject) => {
    let timer;
    const look = () => {
      if (report.errors.length > 0) return done(() => reject(new Error(step)));
      if (so()) done(resolve);
    };
    const done = (then) => {
      clearTimeout(timer);
      events.forEach((e) => video.removeEventListener(e, look));
      then();
    };
    timer = setTimeout(() => done(() => reject(new Error(step))), stepWithin);
    events.forEach((e) => video.addEventListener(e, look));
    look();
  }).then(() => report.steps.push(step));
  const runs = (step, from) => until(step, ["timeupdate", "error", "ended"], () => !video.seeking && (video.currentTime > from + 0.2 || video.ended));
  const seek = async (step, to) => {
    video.currentTime = to;
    await runs(step, to);
  };

  video.addEventListener("error", () => report.errors.push("media: " + video.error.message));
  try {
    const player = await {hls: playHLS, dash: playDASH, file: playFile}[kind](video, address, report);
    const starting = video.play();
    await runs("start", 0);
    await starting;
    report.duration = video.duration;
    report.rungs = player.rungs();
    report.first = player.chosen();
    await seek("middle", video.duration / 2);
    for (let n = 0; n < report.rungs.length; n++) {
      const {width, height} = report.rungs[n];
      player.choose(n);
      video.currentTime = 0; // what is buffered of another rung must not do
      if (video.paused) await video.play();
      await until("rung " + n, ["resize", "timeupdate", "loadeddata"], () => player.chosen() === n && video.videoWidth === width && video.videoHeight === height);
      report.rungs[n].shown = [video.videoWidth, video.videoHeight];
    }
    await seek("again", 0);
    video.playbackRate = fast;
    await until("whole", ["ended"], () => video.ended);
    for (let i = 0; i < video.buffered.length; i++) report.buffered.push([video.buffered.start(i), video.buffered.end(i)]);
    video.playbackRate = 1;
    const replay = video.play();
    await seek("near the end", Math.max(0, video.duration - 1));
    await until("end", ["ended"], () => video.ended);
    await replay;
  } catch (e) {
    report.stuck = e.message;
  }
  report.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  return report;
}

function playHLS(video, address, report) {
  const hls = new Hls({maxBufferLength: 600, capLevelToPlayerSize: false});
  return new Promise((resolve, reject) => {
    hls.on(Hls.Events.ERROR, (_, data) => {
      // A rung that is chosen calls off what was being loaded of the one before.
      if (!data.fatal && data.details === Hls.ErrorDetails.INTERNAL_ABORTED) return;
      // Sound begins some milliseconds before the picture where its encoder does: hls.js steps over
      // that at the start when Chromium is not quicker.
      const start = data.details === "bufferSeekOverHole" && video.currentTime < 0.2;
      if (!data.fatal && (start || /^buffer(StalledError|NudgeOnStall)$/.test(data.details))) {
        report.stalls++;
        return;
      }
      report.errors.push(`hls.js: ${data.details} ${data.error ? data.error.message : ""}`);
      reject(new Error("manifest"));
    });
    let shown = -1;
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => { shown = data.level; });
    hls.on(Hls.Events.MANIFEST_PARSED, () => resolve({
      rungs: () => hls.levels.map(({width, height}) => ({width, height, shown: [0, 0]})),
      choose: (n) => { hls.currentLevel = n; },
      chosen: () => shown,
    }));
    hls.attachMedia(video);
    hls.loadSource(address);
  });
}

async function playDASH(video, address, report) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener("error", (e) => report.errors.push(`shaka: ${e.detail.code} ${e.detail.message}`));
  await player.attach(video);
  player.configure({streaming: {bufferingGoal: 600, bufferBehind: 600}});
  await player.load(address);
  const tracks = () => player.getVariantTracks().sort((a, b) => a.bandwidth - b.bandwidth);
  return {
    rungs: () => tracks().map(({width, height}) => ({width, height, shown: [0, 0]})),
    choose: (n) => {
      player.configure({abr: {enabled: false}});
      player.selectVariantTrack(tracks()[n], true);
    },
    chosen: () => tracks().findIndex((track) => track.active),
  };
}

async function playFile(video, address) {
  video.src = address;
  return {rungs: () => [], choose: () => {}, chosen: () => 0};
}
