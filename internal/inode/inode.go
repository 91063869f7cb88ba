// Package inode tells what a file system knows of a file beyond what package os
// shows: when it last changed in any way ([ChangeTime]), which file a name
// stands for ([Number]), where a file holds nothing but a hole ([NextData]), and
// by what an unchanged file is known without reading it ([State], [Stamper]), and
// what many files together look like ([Sight]).
// Where a system does not tell, the answer is the cautious one.
package inode
