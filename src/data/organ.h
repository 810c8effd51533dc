/* What organ a photo shows, in the words of others. Threads: pure. */
#ifndef TP_DATA_ORGAN_H
#define TP_DATA_ORGAN_H

/* A value of subjectPart or subjectPartLiteral as Audiovisual Core has them: a word of its vocabulary
 * (http://rs.tdwg.org/acpart/values/), the address of one, or a word of Pl@ntNet's, in any case; several with bars between.
 * Gives "leaf", "flower", "fruit", "bark", "habit" or "other" where it means one of these, "" for an unspecified part, the
 * vocabulary's word for an address of it, and else the text itself: also where several parts are told that differ. */
const char *tp_organ_of_part(const char *text);

#endif
